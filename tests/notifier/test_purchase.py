"""What customers are told while cover is bought: from the event to the mail, in every language."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libs.common import deadletter
from libs.common.consumer import deliver
from libs.common.events import Event
from services.notifier.consumers import HANDLERS
from services.notifier.domain import notices, words
from services.notifier.domain.notices import CoverBegan
from services.policy.domain.policies import PlanPin
from tests.notifier.builders import (
    CONSUMER,
    NOW,
    OTHER,
    POLICY,
    TENANT,
    TERMS,
    Bus,
    myr,
    policy_activated,
    policy_issued,
    policy_paid,
)
from tests.notifier.conftest import Notifier
from tests.notifier.purchase import (
    documents_requested,
    policy_invalidated,
    policy_lapsed,
    policy_voided,
    premium_reversed,
    refund_requested,
    top_up_requested,
    top_up_warned,
)

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
TICK = timedelta(microseconds=1)
# The end of 11 March there, which is the middle of the day in UTC.
MIDNIGHT = datetime(2026, 3, 12, tzinfo=KUALA_LUMPUR)
# A clock of 48 hours since NOW, 18:00 there: the exact hour is in time (G-05).
IN_TWO_DAYS = NOW + timedelta(hours=48) + TICK
TOMORROW = NOW + timedelta(days=1)


def issued(notifier: Notifier) -> Event:
    """The policy on a plan that is here: its zone is Kuala Lumpur's."""
    plan = notifier.running.plans.newest("mypoz-cargo")
    pin = PlanPin(plan=plan.plan, version=plan.version, sha256=plan.sha256)
    return policy_issued(plan=pin)


async def mail_of(notifier: Notifier, event: Event, locale: str = "en") -> tuple[str, str]:
    """Subject and text of the one mail that goes out, the policy being issued and not paid."""
    notifier.policies.has("ann@example.test", locale=locale)
    await notifier.bus.say(issued(notifier), event)
    await notifier.fire()
    [mail] = notifier.mail.mails
    body = mail.get_body(("plain",))
    assert body is not None
    return str(mail["Subject"]), body.get_content().replace("\r\n", "\n")


# --- the letters -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event, its template, and what the letter says in each language; the subject first."""

    event: Event
    template: str
    says: dict[str, tuple[str, ...]]


ZONE = "(Asia/Kuala Lumpur, UTC+08:00)"
TOLD = [
    Told(
        event=documents_requested(lapses_at=MIDNIGHT),
        template="quote.info_required",
        says={
            "en": (
                "Your proof of purchase is not complete yet (order SO-77)",
                "- the name of the product\n- the amount that was actually paid\n",
                f"by the end of 2026-03-11 {ZONE}. Otherwise the insurance becomes invalid",
            ),
            "zh-Hans": (
                "您的购买凭证尚不完整（订单 SO-77）",
                "- 商品名称\n- 实际付款金额\n",
                f"2026-03-11 {ZONE} 当天结束前上传完整的购买凭证，否则保险将无效",
            ),
            "ms": (
                "Bukti pembelian anda belum lengkap (pesanan SO-77)",
                "- nama produk\n- jumlah yang sebenarnya dibayar\n",
                f"sebelum berakhirnya 2026-03-11 {ZONE}. Jika tidak, insurans menjadi tidak sah",
            ),
        },
    ),
    Told(
        event=top_up_requested(lapses_at=IN_TWO_DAYS),
        template="topup.requested",
        says={
            "en": (
                "Please pay RM 13.00 for your parcel insurance (order SO-77)",
                "the premium of your parcel insurance is RM 38.00.",
                "RM 13.00 of it is still due.",
                f"by 2026-03-04 18:00 {ZONE} at the latest; otherwise the insurance is cancelled",
            ),
            "zh-Hans": (
                "请支付包裹保险保费 RM 13.00（订单 SO-77）",
                "您的包裹保险保费为 RM 38.00。",
                "其中尚有 RM 13.00 未付。",
                f"请最迟于 2026-03-04 18:00 {ZONE} 支付，否则保险将被取消",
            ),
            "ms": (
                "Sila bayar RM 13.00 untuk insurans bungkusan anda (pesanan SO-77)",
                "premium insurans bungkusan anda ialah RM 38.00.",
                "RM 13.00 daripadanya masih perlu dibayar.",
                f"selewat-lewatnya pada 2026-03-04 18:00 {ZONE}; jika tidak, insurans akan",
            ),
        },
    ),
    Told(
        event=top_up_warned(lapses_at=IN_TWO_DAYS),
        template="topup.warning",
        says={
            "en": (
                "24 hours left to pay RM 13.00 for your parcel insurance (order SO-77)",
                "RM 13.00 of the premium of your parcel insurance is still due",
                f"by 2026-03-04 18:00 {ZONE} at the latest.",
                "Otherwise the insurance is cancelled",
            ),
            "zh-Hans": (
                "支付包裹保险保费 RM 13.00 还剩 24 小时（订单 SO-77）",
                "您的包裹保险尚有保费 RM 13.00 未付",
                f"请最迟于 2026-03-04 18:00 {ZONE} 支付。",
                "否则保险将被取消",
            ),
            "ms": (
                "Tinggal 24 jam untuk membayar RM 13.00 bagi insurans bungkusan anda "
                "(pesanan SO-77)",
                "Premium sebanyak RM 13.00 bagi insurans bungkusan anda masih belum dibayar",
                f"selewat-lewatnya pada 2026-03-04 18:00 {ZONE}.",
                "Jika tidak, insurans akan dibatalkan",
            ),
        },
    ),
    Told(
        event=policy_lapsed(lapsed_at=IN_TWO_DAYS),
        template="topup.lapsed",
        says={
            "en": (
                "Your parcel insurance is cancelled: the premium was not paid in time "
                "(order SO-77)",
                f"was cancelled on 2026-03-04 18:00 {ZONE}.",
                "The RM 25.00 that you paid will be refunded to you in full.",
            ),
            "zh-Hans": (
                "您的包裹保险已取消：保费未按时付清（订单 SO-77）",
                f"已于 2026-03-04 18:00 {ZONE} 取消。",
                "您已支付的 RM 25.00 将全额退还。",
            ),
            "ms": (
                "Insurans bungkusan anda dibatalkan: premium tidak dibayar dalam masa yang "
                "ditetapkan (pesanan SO-77)",
                f"dibatalkan pada 2026-03-04 18:00 {ZONE}.",
                "RM 25.00 yang telah anda bayar akan dikembalikan sepenuhnya kepada anda.",
            ),
        },
    ),
    Told(
        event=policy_invalidated(invalidated_at=MIDNIGHT),
        template="policy.invalid",
        says={
            "en": (
                "Your parcel insurance is invalid (order SO-77)",
                f"became invalid on 2026-03-12 00:00 {ZONE}: the proof of purchase that we asked "
                "for did not come in time.",
                "The RM 25.00 that you paid will be refunded to you in full.",
            ),
            "zh-Hans": (
                "您的包裹保险无效（订单 SO-77）",
                f"自 2026-03-12 00:00 {ZONE} 起无效：未按时提供所需的购买凭证。",
                "您已支付的 RM 25.00 将全额退还。",
            ),
            "ms": (
                "Insurans bungkusan anda tidak sah (pesanan SO-77)",
                f"tidak sah pada 2026-03-12 00:00 {ZONE}: bukti pembelian yang diminta tidak "
                "diterima dalam masa yang ditetapkan.",
                "RM 25.00 yang telah anda bayar akan dikembalikan sepenuhnya kepada anda.",
            ),
        },
    ),
    Told(
        event=policy_voided(),
        template="policy.void",
        says={
            "en": (
                "Your parcel insurance is void (order SO-77)",
                f"became void on 2026-03-02 18:00 {ZONE}: the delivery address was changed after "
                "the insurance was bought.",
                "no premium is refunded.",
            ),
            "zh-Hans": (
                "您的包裹保险已失效（订单 SO-77）",
                f"已于 2026-03-02 18:00 {ZONE} 失效：投保后更改了收货地址。",
                "保费不予退还。",
            ),
            "ms": (
                "Insurans bungkusan anda telah terbatal (pesanan SO-77)",
                f"terbatal pada 2026-03-02 18:00 {ZONE}: alamat penghantaran diubah selepas "
                "insurans dibeli.",
                "tiada premium yang dikembalikan.",
            ),
        },
    ),
    Told(
        event=refund_requested(),
        template="refund.requested",
        says={
            "en": (
                "RM 1,234.56 will be refunded to you (order SO-77)",
                "RM 1,234.56 that you paid for your parcel insurance will be refunded to you: "
                "you paid more than was due.",
            ),
            "zh-Hans": (
                "RM 1,234.56 将退还给您（订单 SO-77）",
                "您为包裹保险支付的 RM 1,234.56 将退还给您：您支付的金额超过了应付保费。",
            ),
            "ms": (
                "RM 1,234.56 akan dikembalikan kepada anda (pesanan SO-77)",
                "RM 1,234.56 yang anda bayar untuk insurans bungkusan anda akan dikembalikan "
                "kepada anda: anda membayar lebih daripada yang perlu dibayar.",
            ),
        },
    ),
    Told(
        event=premium_reversed(amount=myr("38"), premium_due=myr("25")),
        template="premium.reversed",
        says={
            "en": (
                "RM 38.00 of your premium was taken back (order SO-77)",
                f"RM 38.00 that was paid for your parcel insurance was taken back on "
                f"2026-03-02 18:00 {ZONE}: the payment was disputed and returned to you.",
                "RM 25.00 of the premium is due now. The insurance is not in force until it is "
                "paid",
            ),
            "zh-Hans": (
                "您的保费 RM 38.00 已被退回（订单 SO-77）",
                f"RM 38.00 已于 2026-03-02 18:00 {ZONE} 被退回：该付款经争议处理后已退还给您。",
                "现需支付保费 RM 25.00。付清之前保险不生效",
            ),
            "ms": (
                "Premium anda sebanyak RM 38.00 telah ditarik balik (pesanan SO-77)",
                f"ditarik balik pada 2026-03-02 18:00 {ZONE}: bayaran itu dipertikaikan dan telah "
                "dikembalikan kepada anda.",
                "Premium sebanyak RM 25.00 perlu dibayar sekarang. Insurans tidak berkuat kuasa "
                "sehingga ia dibayar",
            ),
        },
    ),
]
each_letter = pytest.mark.parametrize("told", TOLD, ids=lambda told: told.template)


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
@each_letter
async def test_an_event_becomes_a_mail_in_the_customers_language(
    notifier: Notifier, told: Told, language: str
) -> None:
    subject, text = await mail_of(notifier, told.event, language)

    expected, *sentences = told.says[language]
    assert subject == expected
    for sentence in sentences:
        assert sentence in text
    owed = await notifier.only()
    assert (owed.state, owed.notice.letter.template) == ("SENT", told.template)
    assert owed.notice.policy_id == POLICY


async def test_times_are_utcs_where_the_plans_file_is_not_here(notifier: Notifier) -> None:
    await notifier.bus.say(policy_issued(), top_up_warned(lapses_at=IN_TWO_DAYS))

    await notifier.fire()

    [mail] = notifier.mail.mails
    body = mail.get_body(("plain",))
    assert body is not None
    assert "by 2026-03-04 10:00 (UTC, UTC+00:00) at the latest" in body.get_content()


async def test_a_customer_without_an_address_is_passed_over(notifier: Notifier) -> None:
    notifier.policies.has(None)
    await notifier.bus.say(policy_issued(), top_up_requested())

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause) == ("SKIPPED", "NO_ADDRESS")


# --- once an occasion ------------------------------------------------------------------------

BOUGHT = [policy_issued(), *[told.event for told in TOLD]]
TEMPLATES = [told.template for told in TOLD]
# What may be said twice and mean it: there is no id of what happened but the event's.
EACH_TIME = ["quote.info_required", "premium.reversed"]


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_an_event_that_is_handed_over_again_is_told_once(
    bus: Bus, is_one_batch: bool
) -> None:
    messages = [bus.message(event) for event in BOUGHT]

    if is_one_batch:
        await bus.hand_over(*messages, *messages)
    else:
        await bus.hand_over(*messages)
        await bus.hand_over(*messages)

    assert await bus.templates() == TEMPLATES
    assert len(await bus.deadlines()) == len(TEMPLATES)


async def test_what_is_said_again_is_told_again_only_where_it_happened_again(bus: Bus) -> None:
    await bus.say(*BOUGHT)
    await bus.say(*BOUGHT)

    assert await bus.templates() == TEMPLATES + EACH_TIME


async def test_a_new_deadline_is_a_new_occasion(bus: Bus) -> None:
    later = IN_TWO_DAYS + timedelta(hours=48)

    await bus.say(
        policy_issued(),
        top_up_requested(lapses_at=IN_TWO_DAYS),
        top_up_warned(lapses_at=IN_TWO_DAYS),
        top_up_requested(lapses_at=later),
        top_up_warned(lapses_at=later),
    )

    assert await bus.templates() == ["topup.requested", "topup.warning"] * 2


async def test_each_refund_is_told_by_its_own_id(bus: Bus) -> None:
    await bus.say(
        refund_requested(refund_id="rfd_1"),
        refund_requested(refund_id="rfd_2"),
        refund_requested(refund_id="rfd_1"),
    )

    assert [owed.notice.occasion for owed in await bus.owed()] == ["rfd_1", "rfd_2"]


async def test_two_tenants_with_the_same_ids_are_each_told(bus: Bus) -> None:
    await bus.say(*BOUGHT)
    await bus.say(*BOUGHT, tenant_id=OTHER)

    assert await bus.templates(TENANT) == TEMPLATES
    assert await bus.templates(OTHER) == TEMPLATES


# --- which refunds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "is_told"),
    [
        ("OVERPAID", True),
        ("DUPLICATE_CHARGE", True),
        ("LATE", True),
        ("POLICY_ENDED", True),
        ("NOT_CONFIRMED", True),
        # The letter about the policy's end says it.
        ("CUSTOMER_CANCEL", False),
        ("ORDER_CANCELLED", False),
        ("COVER_NOT_PROVIDED", False),
        ("TOP_UP_LAPSED", False),
        ("DOCUMENTS_LAPSED", False),
        ("GOODS_DECLINED", False),
        ("UNHEARD_OF", False),
    ],
)
async def test_a_refund_is_told_where_no_other_letter_says_it(
    bus: Bus, reason: str, is_told: bool
) -> None:
    assert notices.is_refund_told(reason) is is_told

    await bus.say(refund_requested(reason=reason))

    assert await bus.templates() == ["refund.requested"] * is_told


# --- the cover -------------------------------------------------------------------------------


async def test_a_cover_that_is_issued_is_told_only_when_it_is_paid(bus: Bus) -> None:
    await bus.say(policy_issued())
    assert await bus.owed() == []

    await bus.say(policy_paid())

    assert await bus.templates() == ["policy.active"]


async def test_an_activation_of_what_was_only_issued_is_parked_not_told(bus: Bus) -> None:
    messages = [bus.message(policy_issued()), bus.message(policy_activated())]

    await deliver(bus.db, CONSUMER, HANDLERS, messages)

    [letter] = await deadletter.list_letters(bus.db)
    assert letter.parking.cause == "unknown-policy"
    assert await bus.owed() == []


async def test_what_was_paid_takes_the_place_of_what_was_issued(bus: Bus) -> None:
    estimate = replace(TERMS, insured_value=myr("700"))

    await bus.say(
        policy_issued(terms=estimate),
        policy_paid(state="SCHEDULED", cover_start=TOMORROW),
        policy_issued(terms=estimate),
        policy_activated(cover_start=TOMORROW),
    )

    [owed] = await bus.owed()
    assert owed.notice.letter == CoverBegan(
        insured_value=myr("1000"), premium=myr("38"), cover_start=TOMORROW
    )


async def test_a_premium_paid_again_begins_the_cover_again_and_that_is_told(bus: Bus) -> None:
    again = {"paid_at": TOMORROW, "cover_start": TOMORROW}

    await bus.say(
        policy_paid(),
        policy_activated(),
        premium_reversed(),
        policy_paid(**again),
        policy_activated(cover_start=TOMORROW),
    )

    assert await bus.templates() == ["policy.active", "premium.reversed", "policy.active"]

"""What holds for claims under every programme (domain.md 0.3)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libs.common.plans.clocks import Pause
from libs.common.plans.codes import PERILS
from services.claims.domain import adjudicate, sla
from tests.rules.claiming import APPROVED, PLANS, answer, decided, facts_of_claim, paid

CLAIMS = list(APPROVED)


@pytest.mark.parametrize(("programme", "peril"), CLAIMS)
def test_g_02_a_payout_is_rounded_half_up_and_once(programme: str, peril: str) -> None:
    decision = decided(programme, peril)
    assert decision.assessment is not None
    rounded = decision.assessment.lines[-1]
    assert rounded.label == "ROUNDED"
    assert [line.label for line in decision.assessment.lines].count("ROUNDED") == 1


def test_g_02_half_a_fen_of_payout_is_rounded_up() -> None:
    """20 % of 0.22 is 4.4 fen, of 0.23 it is 4.6; 1 % of 0.50 is half a fen."""
    assert paid("cssecure", "DELAY", shipping_fee="0.22") == "0.04"
    assert paid("cssecure", "DELAY", shipping_fee="0.23") == "0.05"
    small = {"insured_value": "0.50", "order_insured_value": "1000", "days_over_standard": 1}
    assert paid("jsx", "DELAY", **small) == "0.01"


@pytest.mark.parametrize(("programme", "peril"), CLAIMS)
def test_g_14_without_a_policy_nothing_else_is_looked_at(programme: str, peril: str) -> None:
    decision = decided(programme, peril, policy_state="NONE", causes=("fraud",))
    assert [str(reason) for reason in decision.reasons] == ["NOT_INSURED"]
    assert decision.rule_ids == ("G-14",)


@pytest.mark.parametrize(("programme", "peril"), CLAIMS)
def test_g_15_fraud_is_excluded_in_every_programme(programme: str, peril: str) -> None:
    assert answer(programme, peril, causes=("fraud",)) == ("DENIED", "EXCLUDED_CAUSE:fraud")
    assert answer(programme, peril, fraud=True) == ("DENIED", "EXCLUDED_CAUSE:fraud")


@pytest.mark.parametrize("programme", ["mypoz", "bml", "tks", "cssecure"])
def test_g_16_a_delivered_parcel_is_not_lost(programme: str) -> None:
    seen = {"delivered_at": "2024-05-19T10:00", "as_of": "2024-06-03T12:00"}
    assert decided(programme, "LOSS", **seen).reason is not None
    assert "DELIVERED" in [str(r) for r in decided(programme, "LOSS", **seen).reasons]


@pytest.mark.parametrize(
    ("programme", "peril"), [claim for claim in CLAIMS if claim[1] not in ("DELAY", "RETURN")]
)
def test_g_10_q43_carrier_and_insurer_together_never_pay_more_than_the_loss(
    programme: str, peril: str
) -> None:
    amount = paid(programme, peril)
    everything = answer(programme, peril, carrier_paid="100000")
    assert everything == ("DENIED", "NO_RESIDUAL_LOSS")
    with_carrier = paid(programme, peril, carrier_paid="20")
    assert Decimal(with_carrier) == Decimal(amount) - 20


@pytest.mark.parametrize(("programme", "peril"), CLAIMS)
def test_g_12_missing_papers_are_asked_for_all_at_once_and_denied_only_after_that(
    programme: str, peril: str
) -> None:
    plan, facts = PLANS[programme], facts_of_claim(programme, peril)
    full = adjudicate(plan, peril, facts)
    none = adjudicate(plan, peril, {**facts, "evidence": ()})
    if none.outcome.value in ("DEFERRED", "APPROVED"):
        assert not plan.perils[peril].evidence.required or peril in ("LOSS", "RETURN", "DELAY")
        return
    assert (full.outcome.value, none.outcome.value) == ("APPROVED", "INFO_REQUIRED")
    assert none.missing


def test_g_12_too_early_is_not_denied() -> None:
    decision = decided("cssecure", "LOSS", evidence=())
    assert (decision.outcome.value, str(decision.eligible_on)) == ("DEFERRED", "2024-06-10")


@pytest.mark.parametrize(
    ("programme", "peril", "changes"),
    [
        ("cssecure", "DAMAGE", {"notified_at": "2024-02-23T00:00"}),
        ("cssecure", "LOSS", {"claimed_biy_value": "1000", "claimed_value": "1000",
                              "biy_misdeclared": True}),
    ],
)  # fmt: skip
def test_g_13_what_a_provider_may_refuse_is_discretionary(
    programme: str, peril: str, changes: dict[str, object]
) -> None:
    decision = decided(programme, peril, **changes)
    assert (decision.outcome.value, decision.is_discretionary) == ("DENIED", True)


def test_g_13_no_other_denial_is() -> None:
    for programme, peril in CLAIMS:
        if (programme, peril) == ("cssecure", "DAMAGE"):
            continue
        assert not decided(programme, peril, causes=("fraud",)).is_discretionary


def test_g_08_the_decision_clock_pauses_while_the_claimant_is_asked() -> None:
    facts = facts_of_claim("cssecure", "DAMAGE", complete_at="2024-05-06T09:00")
    pause = Pause(
        since=datetime(2024, 5, 7, 1, tzinfo=UTC), until=datetime(2024, 5, 9, 1, tzinfo=UTC)
    )
    running = sla(PLANS["cssecure"], {**facts, "peril": "DAMAGE"})
    paused = sla(PLANS["cssecure"], {**facts, "peril": "DAMAGE"}, [pause])
    assert running is not None
    assert paused is not None
    assert (str(running.due_on), str(paused.due_on)) == ("2024-05-20", "2024-05-22")


@pytest.mark.parametrize("programme", list(PLANS))
def test_k3_q31_every_peril_is_covered_or_says_that_it_is_not(programme: str) -> None:
    covered = {peril for plan, peril in CLAIMS if plan == programme}
    denied = {
        peril for peril in PERILS if answer(programme, peril) == ("DENIED", "PERIL_NOT_COVERED")
    }
    assert covered | denied == PERILS
    assert not covered & denied

"""Every provider through the door, by each way that it may prove itself, and read to its history."""

from collections import Counter
from typing import Any

from services.policy.tracking import PROVIDERS
from tests.policy.conftest import Shop, answered, refused
from tests.policy.posting import Sender, read_waiting
from tests.policy.tracking.fixtures import BODIES, history_of, provider_of


def bodies_of(provider: str) -> list[bytes]:
    return [body.read_bytes() for body in BODIES if provider_of(body) == provider]


async def notices_of(shop: Shop) -> list[Any]:
    items: list[Any] = answered(await shop.get("/v1/tracking-notices"), 200)["items"]
    return items


async def test_each_provider_posts_and_is_read(shop: Shop) -> None:
    for provider in PROVIDERS.values():
        sender = await Sender.opened(shop, provider.name)
        for body in bodies_of(provider.name):
            answer = answered(await sender.post(body), provider.status)
            assert answer["result"] == "kept", provider.name
    await read_waiting(shop.policies)

    told = Counter(
        (notice["provider"], notice["state"], notice["scans"])
        for notice in await notices_of(shop)
    )
    assert told == Counter(
        (provider, "READ", len(history_of(provider, body)))
        for provider in PROVIDERS
        for body in bodies_of(provider)
    )


async def test_a_provider_may_prove_itself_in_another_way(shop: Shop) -> None:
    for known in PROVIDERS.values():
        for scheme in [*known.schemes][1:]:
            body = bodies_of(known.name)[0]
            sender = await Sender.opened(shop, known.name, scheme=scheme)

            answered(await sender.post(body), known.status)
            by_another = Sender(
                shop=shop,
                provider=known.name,
                path=sender.path.replace(sender.secret, "other"),
                secret="other",
                scheme=scheme,
            )
            refused(await by_another.post(body), 401, "bad-signature")
            await shop.policies.delete(
                f"/v1/tracking-hooks/{known.name}", headers=shop.token(shop.tenant)
            )


async def test_xml_that_cannot_be_read_is_kept_as_that(shop: Shop) -> None:
    sender = await Sender.opened(shop, "dhl_express")

    for body in (b"<", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a/>"):
        answered(await sender.post(body), 200)
    await read_waiting(shop.policies)

    assert [notice["state"] for notice in await notices_of(shop)] == ["UNREADABLE"] * 3


async def test_xml_from_whoever_posts_json_is_refused(shop: Shop) -> None:
    sender = await Sender.opened(shop, "easypost")

    refused(await sender.post(b"<a/>"), 400, "malformed-body")

"""What carriers post, through the policy service's door: proven, kept, answered, then read."""

import pytest

from tests.policy.builders import Json
from tests.policy.conftest import SetClock, Shop, answered
from tests.policy.posting import Sender, a_detail, a_tracker_event, read_waiting

NUMBER = "EZ6000000006"
NOW = "2024-03-10T00:00:00"
SUBMITTED = "2024-01-01T01:00:00"

ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
DELIVERED = a_detail("delivered", "2024-01-09T15:00:00Z")


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    """Paid on 1 January; it is 10 March now, and nobody has reported a ship-out."""
    await set_clock(SUBMITTED)
    paid = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock(NOW)
    return paid


async def test_a_post_is_kept_answered_and_then_moves_its_policy(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)

    answer = answered(await sender.post(a_tracker_event(NUMBER, ACCEPTED, DELIVERED)), 200)

    assert answer["result"] == "kept"
    before = await shop.show(policy)
    assert before["tracking"]["status"] == "unknown"
    await read_waiting(shop.policies)
    after = await shop.show(policy)
    assert after["state"] == "RUN_OFF"
    assert after["tracking"]["dispatched_at"] == "2024-01-04T09:00:00Z"
    assert after["tracking"]["delivered_at"] == "2024-01-09T15:00:00Z"
    notices = answered(await shop.get("/v1/tracking-notices"), 200)["items"]
    assert [(n["state"], n["scans"], n["matched"]) for n in notices] == [("READ", 2, 2)]
    hooks = answered(await shop.get("/v1/tracking-hooks"), 200)["items"]
    assert hooks[0]["traffic"]["received"] == 1

"""Every hostile receiver: the fault is noted, nothing counts, an alarm where it is due; letters for
another centre go through meanwhile, and to the same one as soon as it is honest."""

from unittest.mock import patch

import pytest

from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import Road, eventually, road
from tests.integration.federation.misuse.everything import HOSTILE_RECEIVERS
from tests.integration.federation.misuse.table import Case
from tests.plugins.gateway import PEER, RECEIVER

__all__ = ["road"]


@pytest.mark.parametrize("case", HOSTILE_RECEIVERS, ids=lambda case: case.name)
async def test_hostile_receiver_is_not_believed(road: Road, case: Case) -> None:
    world = road.gateway.world
    receiver = FakeReceiver(name=PEER, origin=RECEIVER, key=world.receipt_key)
    try:
        expected = await case.misuse(receiver)
        road.post(5, link=PEER)
        async with receiver.serve(world.certificates[PEER], world.authority) as address:
            road.know(PEER, address)
            async with road.dispatch():
                road.post(5)
                await road.acknowledged(5)
                await eventually(lambda: road.link(PEER)["last_error"] == expected)
                if case.alarm:
                    await eventually(lambda: expected in road.gateway.alarms())
                assert road.link(PEER)["acked_lseq"] == 0
                assert not road.rows("SELECT FROM outbox_receipt WHERE link = %s", PEER)
                assert not road.dead()
        assert (expected in road.gateway.alarms()) == case.alarm
    finally:
        patch.stopall()
    honest = FakeReceiver(name=PEER, origin=RECEIVER, key=world.receipt_key)
    async with honest.serve(world.certificates[PEER], world.authority) as address:
        road.know(PEER, address)
        road.do("UPDATE outbox_link SET next_try_at = now(), backoff_ms = 0")
        async with road.dispatch():
            await road.acknowledged(5, link=PEER)
    assert len(honest.held) == 5

"""Who works on a link: leases, shares, and centres that leave the directory."""

import asyncio
from typing import Any

import pytest

from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import NOWHERE, Road, eventually, serving
from tests.plugins.gateway import PEER, RECEIVER


async def test_letters_for_a_centre_that_left_the_directory_come_to_an_end(road: Road) -> None:
    """Also if the process that knew the centre is gone; then nobody works on the link any more."""
    road.know(PEER, NOWHERE)
    road.post(link=PEER)
    async with road.dispatch():
        await eventually(lambda: road.link(PEER)["failing_since"])
    road.forget(PEER)
    async with road.dispatch() as dispatch:
        await eventually(lambda: PEER in dispatch.crew.held)
        road.do("UPDATE outbox_letter SET expires_at = now()")
        (dead,) = await eventually(road.dead)
        assert (dead["state"], dead["link"]) == ("expired", PEER)
        await eventually(lambda: dispatch.crew.held == [RECEIVER])
    assert road.link(PEER)["owner"] == ""


async def test_centre_that_left_the_directory_takes_no_share(road: Road) -> None:
    road.know(PEER, NOWHERE)
    async with road.dispatch() as dispatch:
        await eventually(lambda: len(dispatch.crew.held) == 2)
        road.forget(PEER)
        await eventually(lambda: dispatch.crew.held == [RECEIVER])
        road.know("sachsen", NOWHERE)
        await eventually(lambda: sorted(dispatch.crew.held) == [RECEIVER, "sachsen"])


async def test_resting_link_is_given_up_before_one_with_letters_under_way(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = FakeReceiver(name=RECEIVER, origin=RECEIVER, key=road.gateway.world.receipt_key)

    async def say_nothing(_: Any, __: Any) -> None:
        """Send no receipt."""

    monkeypatch.setattr(receiver, "_send", say_nothing)
    world = road.gateway.world
    async with receiver.serve(world.certificates[RECEIVER], world.authority) as address:
        road.know(RECEIVER, address)
        road.know(PEER, NOWHERE)
        road.post()
        async with road.dispatch() as first:
            await eventually(lambda: len(first.crew.held) == 2 and receiver.items)
            async with road.dispatch() as second:
                await eventually(lambda: second.crew.held == [PEER])
                assert first.crew.held == [RECEIVER]
            monkeypatch.undo()


async def test_two_dispatchers_share_the_links_and_one_takes_over(
    road: Road, receiver: FakeReceiver
) -> None:
    async with serving(road, receiver), road.dispatch() as first:
        await eventually(lambda: len(first.crew.held) == 2)
        async with road.dispatch() as second:
            await eventually(lambda: len(first.crew.held) == len(second.crew.held) == 1)
            road.post(50)
            road.post(50, link=PEER)
            await asyncio.gather(road.acknowledged(50), road.acknowledged(50, link=PEER))
        road.post(10)
        road.post(10, link=PEER)
        await asyncio.gather(road.acknowledged(60), road.acknowledged(60, link=PEER))
        assert len(first.crew.held) == 2


async def test_times_of_a_clock_that_was_fast_hold_nobody_up(
    road: Road, receiver: FakeReceiver
) -> None:
    """The database's clock was an hour ahead, the owner died and the clock was put right."""
    async with serving(road, receiver):
        async with road.dispatch() as dispatch:
            await eventually(lambda: len(dispatch.crew.held) == 2)
        late = "clock_timestamp() + interval '1 hour'"
        road.do(
            f"UPDATE outbox_link SET owner = 'dead', fence = fence + 1, lease_until = {late},"
            f" next_try_at = {late}, backoff_ms = 1000"
        )
        road.do(f"INSERT INTO outbox_dispatcher VALUES ('dead', {late}), ('dead too', {late})")
        road.post(3)
        road.post(3, link=PEER)
        async with road.dispatch() as dispatch:
            await asyncio.gather(road.acknowledged(3), road.acknowledged(3, link=PEER))
            assert len(dispatch.crew.held) == 2

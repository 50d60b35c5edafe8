"""What goes wrong on the way, and what the link makes of it."""

import asyncio
from typing import Any

import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.dispatch import session
from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.frames import Credit
from federation.protocol.reasons import Reason
from federation.wire.envelope import read_outer
from tests.fakes.network import Way
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import NOWHERE, Road, eventually, serving
from tests.plugins.gateway import PEER


def ids_of(batch: pb.Batch) -> list[Any]:
    return [read_outer(item).read().message_id for item in batch.items if item]


# -- peers -----------------------------------------------------------------------------------


async def test_dead_peer_delays_nobody_else(road: Road) -> None:
    road.know(PEER, NOWHERE)
    road.post(10, link=PEER)
    road.post(100)
    async with road.dispatch():
        await road.acknowledged(100)
        await eventually(lambda: road.link(PEER)["failing_since"])

    dead = road.link(PEER)
    assert (dead["acked_lseq"], dead["last_error"]) == (0, "UNAVAILABLE")
    assert dead["next_try_at"] is not None
    assert dead["backoff_ms"] >= 1000
    assert road.rows("SELECT code FROM outbox_attempt WHERE link = %s", PEER)


async def test_suspended_centre_gets_nothing(road: Road, receiver: FakeReceiver) -> None:
    async with serving(road, receiver):
        road.know(PEER, road.centres[PEER].endpoint, state="suspended")
        road.post(link=PEER)
        async with road.dispatch():
            await eventually(lambda: road.link(PEER).get("last_error") == "CENTRE_NOT_ACTIVE")
            assert not receiver.hellos
            road.know(PEER, road.centres[PEER].endpoint)
            await road.acknowledged(1, link=PEER)


async def test_server_that_the_directory_does_not_list_gets_nothing(
    road: Road, receiver: FakeReceiver
) -> None:
    """Its certificate is of the federation's authority, and in the centre's name."""
    world = road.gateway.world
    old, listed = world.authority.issue(PEER), world.certificates[PEER].fingerprint
    async with receiver.serve(old, world.authority) as address:
        road.know(PEER, address)
        road.post(link=PEER)
        async with road.dispatch():
            code = "SERVER_CERTIFICATE_UNKNOWN"
            await eventually(lambda: road.link(PEER).get("last_error") == code)
            await eventually(lambda: code in road.gateway.alarms())
            assert not receiver.hellos
            assert old.fingerprint in road.link(PEER)["last_error_detail"]

            road.know(PEER, address, fingerprints=(listed, old.fingerprint))
            await road.acknowledged(1, link=PEER)
            spoken = len(receiver.hellos)

            road.know(PEER, address, fingerprints=(listed,))
            await eventually(lambda: not road.connected(PEER))
            road.post(link=PEER)
            await eventually(lambda: road.link(PEER).get("last_error") == code)
    assert (len(receiver.held), len(receiver.hellos)) == (1, spoken)


async def test_paused_link_rests_until_it_is_resumed(road: Road, receiver: FakeReceiver) -> None:
    async with serving(road, receiver), road.dispatch():
        road.post(link=PEER)
        await road.acknowledged(1, link=PEER)
        road.do("UPDATE outbox_link SET state = 'paused' WHERE name = %s", PEER)
        road.do("SELECT pg_notify('amtsbruecke_dispatch', %s)", PEER)
        await eventually(lambda: road.rows("SELECT 1 FROM outbox_link WHERE state = 'paused'"))
        road.post(5, link=PEER)
        road.post(5)
        await road.acknowledged(5)
        road.do("UPDATE outbox_link SET state = 'active' WHERE name = %s", PEER)
        road.do("SELECT pg_notify('amtsbruecke_dispatch', %s)", PEER)
        await road.acknowledged(6, link=PEER)


# -- the stream ------------------------------------------------------------------------------


async def test_lost_receipts_are_given_again_and_nothing_is_sent_twice(
    road: Road, receiver: FakeReceiver
) -> None:
    cuts = [64, 192]

    def cut(_: pb.Batch) -> None:
        if cuts and len(receiver.items) >= cuts[0]:
            cuts.pop(0)
            raise CallRefused(Reason.UNAVAILABLE, "the line is cut")

    receiver.after = cut
    ids = road.post(300, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(300, link=PEER)
    assert not cuts
    assert len(receiver.items) == 300
    assert sorted(ids) == sorted(read_outer(item).read().message_id for item in receiver.held)


async def test_peer_without_credit_is_waited_for(road: Road, receiver: FakeReceiver) -> None:
    receiver.credit = Credit(10, 100_000)
    road.post(100, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(100, link=PEER)
    assert max(receiver.frames) <= 10


async def test_peer_that_grants_without_end_gets_no_more_than_we_bear(
    road: Road, receiver: FakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RECEIPT_TIMEOUT_S", 3.0)
    monkeypatch.setattr(session, "_LOOK_FOR_OVERDUE_S", 0.2)
    grant = pb.ExchangeResponse(credit=pb.Credit(messages=2**32 - 1, bytes=2**40))

    async def grant_instead(context: Any, _: Any) -> None:
        await context.write(grant)

    monkeypatch.setattr(receiver, "_send", grant_instead)
    road.post(3 * limits.CREDIT_MESSAGES, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: road.link(PEER)["last_error"] == "RECEIPT_MISSING")
        assert len(receiver.items) == limits.CREDIT_MESSAGES
        monkeypatch.undo()
        await road.acknowledged(3 * limits.CREDIT_MESSAGES, link=PEER, seconds=60)


async def test_letter_that_kills_calls_is_parked_and_the_others_move_on(
    road: Road, receiver: FakeReceiver
) -> None:
    ids = road.post(100, link=PEER)
    poison = ids[37]

    def kill(batch: pb.Batch) -> None:
        if poison in ids_of(batch):
            raise CallRefused(Reason.INTERNAL, "boom")

    receiver.before = kill
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(100, link=PEER)

    (dead,) = road.dead()
    assert (dead["message_id"], dead["state"], dead["reason"]) == (poison, "parked", "KILLS_CALLS")
    assert len(receiver.held) == 99
    assert receiver.items.count(b"") == 1
    assert road.gateway.alarms() == ["LETTER_PARKED"]
    # The receipt for the void position is none for the letter: it stays dead, and a person is told.
    assert (dead["resolution"], dead["told"]) == ("", False)


async def test_letter_that_crashes_the_peer_is_narrowed_down_at_once_and_parked_late(
    road: Road, receiver: FakeReceiver
) -> None:
    """A crash looks like a broken cable: the search is quick, the lone letter is given time."""
    ids = road.post(100, link=PEER)

    def crash(batch: pb.Batch) -> None:
        if ids[37] in ids_of(batch):
            raise CallRefused(Reason.UNAVAILABLE, "gone")

    receiver.before = crash
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(37, link=PEER)
        await eventually(lambda: road.link(PEER)["frame_limit"] == 1)
        assert road.link(PEER)["acked_lseq"] == 37
    assert not road.dead()


async def test_half_open_connection_is_noticed_within_seconds(
    road: Road, receiver: FakeReceiver
) -> None:
    world = road.gateway.world
    async with receiver.serve(world.certificates[PEER], world.authority) as address:
        way = Way(int(address.rpartition(":")[2]))
        async with way.open() as entrance:
            road.know(PEER, entrance)
            async with road.dispatch():
                road.post(link=PEER)
                await road.acknowledged(1, link=PEER)
                way.fall_silent()
                road.post(3, link=PEER)
                # By its receipt alone, a frame would be waited for half a minute.
                await road.acknowledged(4, link=PEER, seconds=20)
    assert len(receiver.hellos) == 2


async def test_new_centre_is_served_at_once(road: Road, receiver: FakeReceiver) -> None:
    async with road.dispatch():
        road.post()
        await road.acknowledged(1)
        road.post(link=PEER)
        async with serving(road, receiver):
            await road.acknowledged(1, link=PEER, seconds=5)


async def test_first_directory_is_awaited_closely(road: Road) -> None:
    looks: list[float] = []
    load, none = road.load, 3

    async def late(connection: Any, known: Any) -> Any:
        looks.append(asyncio.get_running_loop().time())
        return await load(connection, known) if len(looks) > none else None

    road.load = late  # type: ignore[method-assign]
    road.post()
    async with road.dispatch():
        await road.acknowledged(1)
    assert looks[none] - looks[0] < 2


async def test_process_that_never_got_a_directory_stops_in_order(road: Road) -> None:
    asked = asyncio.Event()

    async def nothing(*_: Any) -> None:
        asked.set()

    road.load = nothing  # type: ignore[method-assign,assignment]
    async with road.dispatch():
        await asked.wait()


async def test_parked_letter_that_had_reached_the_peer_lives(
    road: Road, receiver: FakeReceiver
) -> None:
    ids = road.post(3, link=PEER)
    seen: dict[Any, bytes] = {}

    def kill_or_remember(batch: pb.Batch) -> None:
        seen.update(zip(ids_of(batch), filter(None, batch.items), strict=True))
        if ids[1] in ids_of(batch):
            raise CallRefused(Reason.INTERNAL, "boom")
        for index, item in enumerate(batch.items):
            if not item:  # a frame of before has been there first
                batch.items[index] = seen[ids[1]]

    receiver.before = kill_or_remember
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(3, link=PEER, seconds=180)

    (dead,) = road.dead()
    assert (dead["state"], dead["resolution"]) == ("parked", "relayed")
    assert len(receiver.held) == 3
    (letter,) = road.rows("SELECT * FROM outbox_letter WHERE id = %s", ids[1])
    assert letter["lseq"] == dead["lseq"]


async def test_peer_that_kills_every_call_costs_one_letter_at_most(
    road: Road, receiver: FakeReceiver
) -> None:
    road.post(4, link=PEER)

    def kill(_: pb.Batch) -> None:
        raise CallRefused(Reason.INTERNAL, "always")

    receiver.before = kill
    async with serving(road, receiver), road.dispatch():
        await eventually(road.dead, seconds=40)
        seen = len(receiver.hellos)
        await eventually(lambda: len(receiver.hellos) > seen + 5, seconds=40)
        assert len(road.dead()) == 1

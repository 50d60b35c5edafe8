"""Receipts that are believed, and what becomes of letters by them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from centre.kernel import clock
from centre.keys.sign import SigningKey
from federation.dispatch import process, session
from federation.wire.envelope import read_outer
from tests.factories.letters import letter, tampered
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import NOWHERE, Road, eventually, serving
from tests.plugins.gateway import PEER, RECEIVER


@pytest.mark.parametrize(
    "change",
    [
        lambda receipt: replace(receipt, signature=bytes(64)),
        lambda receipt: replace(receipt, kid="0" * 16),
        lambda receipt: replace(receipt, body=receipt.body[:-1]),
        lambda receipt: replace(receipt, body=b""),
    ],
    ids=["signature", "key", "truncated", "empty"],
)
async def test_forged_receipt_counts_for_nothing_and_alarms(
    road: Road, receiver: FakeReceiver, change: Any
) -> None:
    receiver.change = change
    road.post(5, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(road.gateway.alarms)
        assert road.link(PEER)["acked_lseq"] == 0
        assert road.link(PEER)["last_error"] == "RECEIPT_INVALID"
        receiver.change = lambda receipt: receipt
        await road.acknowledged(5, link=PEER)
    assert road.gateway.alarms() == ["RECEIPT_INVALID"]


async def test_receipt_for_other_bytes_counts_for_nothing(
    road: Road, receiver: FakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    offices = road.gateway.world.offices
    other = letter(offices["alpha"], offices["beta"])
    hold = receiver._hold

    def hold_other(batch: pb.Batch) -> Any:
        return hold(pb.Batch(first_lseq=batch.first_lseq, items=[other] * len(batch.items)))

    monkeypatch.setattr(receiver, "_hold", hold_other)
    road.post(1, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: "RECEIPT_INVALID" in road.gateway.alarms())
    assert road.link(PEER)["acked_lseq"] == 0
    assert not road.rows("SELECT FROM outbox_receipt")


async def test_peer_that_claims_what_was_never_sent_is_not_believed(
    road: Road, receiver: FakeReceiver
) -> None:
    receiver.welcome = lambda welcome: replace(welcome, in_lseq=1000)
    road.post(1, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: "POSITION_IMPOSSIBLE" in road.gateway.alarms())
    assert road.link(PEER)["acked_lseq"] == 0


@pytest.mark.parametrize(("said", "kept"), [(0, 0), (7, 7), (2**32 - 1, 64)])
async def test_a_link_remembers_how_many_letters_its_peer_takes_under_one_signature(
    road: Road, receiver: FakeReceiver, said: int, kept: int
) -> None:
    receiver.welcome = lambda welcome: replace(welcome, max_signed_together=said)
    road.do("INSERT INTO outbox_link (name, max_signed_together) VALUES (%s, 20)", PEER)
    road.post(1, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: road.link(PEER)["acked_lseq"] == 1)
    assert road.link(PEER)["max_signed_together"] == kept


async def test_receipt_of_another_key_than_the_directorys_is_refused(road: Road) -> None:
    stranger = FakeReceiver(name=PEER, origin=RECEIVER, key=SigningKey.generate())
    road.post(1, link=PEER)
    async with serving(road, stranger), road.dispatch():
        await eventually(lambda: "RECEIPT_INVALID" in road.gateway.alarms())


# -- when their key was valid ----------------------------------------------------------------

_HOUR = timedelta(hours=1)


def _end_key(road: Road) -> None:
    """The key that signs receipts was valid until an hour ago."""
    road.keys_end = clock.now() - _HOUR


async def test_receipt_of_an_ended_key_counts_until_the_directory_has_the_key_longer(
    road: Road, receiver: FakeReceiver
) -> None:
    _end_key(road)
    road.post(5, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(road.gateway.alarms)
        assert road.link(PEER)["last_error"] == "RECEIPT_INVALID"
        assert road.link(PEER)["acked_lseq"] == 0
        assert not road.rows("SELECT FROM outbox_receipt")
        road.keys_end = clock.in_future(days=1)
        road.know(PEER, road.centres[PEER].endpoint)
        await road.acknowledged(5, link=PEER)
    assert road.gateway.alarms() == ["RECEIPT_INVALID"]


async def test_receipt_of_an_ended_key_that_is_dated_back_is_not_believed(
    road: Road, receiver: FakeReceiver
) -> None:
    _end_key(road)
    receiver.now = lambda: clock.now() - 2 * _HOUR
    road.post(5, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await eventually(lambda: "RECEIPT_INVALID" in road.gateway.alarms())
    assert road.link(PEER)["acked_lseq"] == 0
    assert not road.rows("SELECT FROM outbox_receipt")


async def test_receipt_that_waited_while_its_key_ended_is_believed(
    road: Road, receiver: FakeReceiver
) -> None:
    _end_key(road)
    receiver.now = lambda: clock.now() - 2 * _HOUR
    road.post(5, link=PEER)
    road.do("UPDATE outbox_letter SET accepted_at = %s", clock.now() - 3 * _HOUR)
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(5, link=PEER)
    assert road.gateway.alarms() == []


@pytest.mark.parametrize("wrong", [-_HOUR, _HOUR, timedelta(days=20)])
async def test_a_clock_that_is_wrong_stops_no_link(
    road: Road, receiver: FakeReceiver, wrong: timedelta
) -> None:
    receiver.now = lambda: clock.now() + wrong
    road.post(5, link=PEER)
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(5, link=PEER)
    assert road.gateway.alarms() == []


# -- letters ---------------------------------------------------------------------------------


async def test_refused_letter_dies_with_its_reason_and_the_others_live(road: Road) -> None:
    offices = road.gateway.world.offices

    def change(envelope: Any) -> None:
        envelope.schema_version = 9

    road.post(20)
    (bad,) = road.queue([tampered(letter(offices["alpha"], offices["beta"]), change)])
    road.post(20)
    async with road.dispatch():
        await road.acknowledged(41)
    (dead,) = road.dead()
    assert (dead["message_id"], dead["state"]) == (bad, "refused")
    assert dead["reason"] == "SIGNATURE_INVALID"
    assert len(road.gateway.stored()) == 40


async def test_receipts_that_could_not_be_stored_are_not_passed_over(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a moment, while the next receipt comes in already."""
    store, tried = session.sql.acknowledge, 0

    async def full_at_first(*arguments: Any, **named: Any) -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            road.post()
            current = dispatch.crew._workers[RECEIVER]._session
            assert current is not None
            await eventually(lambda: len(current._verified) > 1)
            raise psycopg.errors.DiskFull("no space left on device")
        await store(*arguments, **named)

    monkeypatch.setattr(session.sql, "acknowledge", full_at_first)
    road.post()
    async with road.dispatch() as dispatch:
        await road.acknowledged(2)
    found = road.rows("SELECT first_lseq, last_lseq FROM outbox_receipt ORDER BY first_lseq")
    assert [(row["first_lseq"], row["last_lseq"]) for row in found] == [(1, 1), (2, 2)]


async def test_deferred_letter_comes_again_under_a_new_number(road: Road) -> None:
    world = road.gateway.world
    host = world.hosts[road.beta.authority_id]
    world.hosts[road.beta.authority_id] = replace(host, active=False)
    (message_id,) = road.post()
    async with road.dispatch():
        await road.acknowledged(1)
        (row,) = road.rows("SELECT held, lseq, deferred_for FROM outbox_letter")
        assert row == {"held": True, "lseq": None, "deferred_for": "RECIPIENT_SUSPENDED"}
        world.hosts[road.beta.authority_id] = host
        road.do("UPDATE outbox_letter SET not_before = now()")
        await road.acknowledged(2)
    assert [row["id"] for row in road.gateway.stored()] == [message_id]
    assert not road.dead()


async def test_letter_of_a_clock_that_was_years_ahead_does_not_stop_the_link(road: Road) -> None:
    offices, later = road.gateway.world.offices, clock.in_future(days=800)
    ahead = letter(
        offices["alpha"],
        offices["beta"],
        created_at=later,
        expires_at=later + timedelta(days=14),
    )
    road.queue([ahead], link=RECEIVER)
    (message_id,) = road.post()
    async with road.dispatch():
        await road.acknowledged(2)
    assert road.gateway.alarms() == []
    assert message_id in [row["id"] for row in road.gateway.stored()]
    assert road.rows("SELECT lseq FROM outbox_letter WHERE deferred_for = 'CREATED_IN_FUTURE'") == [
        {"lseq": None}
    ]


async def test_letter_expires_in_words_while_the_peer_is_dead(road: Road) -> None:
    road.know(PEER, NOWHERE)
    past = clock.now() - timedelta(seconds=1)
    road.queue(
        [letter(road.gateway.world.offices["alpha"], road.gateway.world.offices["beta"])],
        link=PEER,
        expires_at=past,
    )
    async with road.dispatch():
        (dead,) = await eventually(road.dead)
    assert (dead["state"], dead["reason"]) == ("expired", "NEVER_SENT")
    assert road.rows("SELECT lseq FROM outbox_letter") == [{"lseq": 0}]


async def test_letter_that_may_have_arrived_before_expires_without_a_receipt(road: Road) -> None:
    """It was under way, was set aside, and was sent again to a peer that is dead since."""
    road.know(PEER, NOWHERE)
    item = letter(road.gateway.world.offices["alpha"], road.gateway.world.offices["beta"])
    road.queue([item], link=PEER, expires_at=clock.now() - timedelta(seconds=1))
    road.do(
        "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, lseq, case_id, kind,"
        " state, reason, died_at, resolution) SELECT gen_random_uuid(), id, tenant_role, link, 1,"
        " case_id, kind, 'parked', 'KILLS_CALLS', now(), 'resent' FROM outbox_letter"
    )
    async with road.dispatch():
        dead = await eventually(lambda: [each for each in road.dead() if not each["resolution"]])
    assert [(each["state"], each["reason"]) for each in dead] == [("expired", "NO_RECEIPT")]


async def test_all_letters_under_way_expire_a_few_at_a_time(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are dead already do not stand in the way of the next ones."""
    monkeypatch.setattr(process, "_EXPIRE_AT_ONCE", 2)
    monkeypatch.setattr(process, "_KEEP_S", 0.05)
    road.know(PEER, NOWHERE)
    offices = road.gateway.world.offices
    past = clock.now() - timedelta(hours=1)
    items = [letter(offices["alpha"], offices["beta"]) for _ in range(5)]
    road.do("INSERT INTO outbox_link (name, next_lseq) VALUES (%s, 6)", PEER)
    for lseq, message_id in enumerate(road.queue(items, link=PEER, expires_at=past), start=1):
        road.do("UPDATE outbox_letter SET lseq = %s WHERE id = %s", lseq, message_id)
    async with road.dispatch():
        await eventually(lambda: len(road.dead()) == 5)
    assert {(each["state"], each["reason"]) for each in road.dead()} == {("expired", "NO_RECEIPT")}
    assert [row["lseq"] for row in road.rows("SELECT lseq FROM outbox_letter ORDER BY lseq")] == [
        *range(1, 6)
    ]


async def test_tenants_take_turns(road: Road, receiver: FakeReceiver) -> None:
    """One tenant's import does not delay another one's single letter."""
    offices = road.gateway.world.offices
    road.post(200, link=PEER)
    (single,) = road.queue(
        [letter(offices["beta"], offices["alpha"])], link=PEER, role=road.beta.tenant_role
    )
    async with serving(road, receiver), road.dispatch():
        await road.acknowledged(201, link=PEER)
    position = [read_outer(item).read().message_id for item in receiver.items].index(single)
    assert position <= 1

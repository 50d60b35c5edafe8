"""Every hostile receiver: the fault is noted, nothing counts, an alarm where it is due, memory
within its bound; letters for another centre go through meanwhile, and to the same one as soon as it
is honest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.protocol import limits
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.dispatch.conftest import Road, eventually, road
from tests.integration.federation.misuse import speaker
from tests.integration.federation.misuse.everything import HOSTILE_RECEIVERS, STRANGE_RECEIVERS
from tests.integration.federation.misuse.memory import Memory
from tests.integration.federation.misuse.table import FEW, Case
from tests.plugins.gateway import PEER, RECEIVER

__all__ = ["road"]

#: What the test's own process, with both ends of the wire in it, may grow by in a case. Less than
#: the letters that wait where there are many.
_MEMORY_MIB: Final = 96
_MANY_BYTES: Final = 32 * limits.KIB
#: So long a few letters for an honest centre may take beside all that.
_DELIVERY_S: Final = 5.0


@pytest.mark.parametrize("case", HOSTILE_RECEIVERS, ids=lambda case: case.name)
async def test_hostile_receiver_is_not_believed(road: Road, case: Case) -> None:
    receiver = FakeReceiver(name=PEER, origin=RECEIVER, key=road.gateway.world.receipt_key)
    await _try(road, case, receiver)


@pytest.mark.parametrize("case", STRANGE_RECEIVERS, ids=lambda case: case.name)
async def test_strange_receiver_is_not_believed(road: Road, case: Case) -> None:
    await _try(road, case, _stranger(road))


async def test_stranger_that_keeps_the_protocol_is_believed(road: Road) -> None:
    """So what the others are not believed is what they changed."""
    receiver = _stranger(road)
    ids = road.post(FEW, link=PEER)
    async with _serving(road, receiver), road.dispatch():
        await road.acknowledged(FEW, link=PEER)
    assert len(receiver.items) == len(ids)
    assert road.gateway.alarms() == []


def _stranger(road: Road) -> speaker.Receiver:
    raw = road.gateway.world.receipt_key.to_bytes()
    key = Ed25519PrivateKey.from_private_bytes(raw)
    return speaker.Receiver(name=PEER, origin=RECEIVER, key=key)


@asynccontextmanager
async def _serving(road: Road, receiver: FakeReceiver | speaker.Receiver) -> AsyncIterator[None]:
    """Let the directory lead to the receiver within the block."""
    authority, mine = road.gateway.world.authority, road.gateway.world.certificates[PEER]
    serving = (
        receiver.serve(mine, authority)
        if isinstance(receiver, FakeReceiver)
        else receiver.serve(mine.pem, mine.key, authority.pem)
    )
    async with serving as address:
        road.know(PEER, address)
        yield


async def _try(road: Road, case: Case, receiver: FakeReceiver | speaker.Receiver) -> None:
    many = case.letters > FEW
    try:
        expected = await case.misuse(receiver)
        assert isinstance(expected, str)
        road.post(FEW, link=PEER)
        if many:
            _multiply(road, case.letters)
        async with _serving(road, receiver):
            with Memory() as memory:
                async with road.dispatch():
                    road.post(FEW)
                    await road.acknowledged(FEW)
                    await eventually(lambda: road.link(PEER)["last_error"] == expected)
                    if case.alarm:
                        await eventually(lambda: expected in road.gateway.alarms())
                    if many:
                        await _twice(receiver)
                        road.post(FEW)
                        async with asyncio.timeout(_DELIVERY_S):
                            await road.acknowledged(2 * FEW)
                    assert road.link(PEER)["acked_lseq"] == 0
                    assert not road.rows("SELECT FROM outbox_receipt WHERE link = %s", PEER)
                    assert not road.dead()
        assert memory.grown() < _MEMORY_MIB
        assert (expected in road.gateway.alarms()) == case.alarm
    finally:
        patch.stopall()
    road.do("DELETE FROM outbox_letter WHERE size >= %s", _MANY_BYTES)
    honest = FakeReceiver(name=PEER, origin=RECEIVER, key=road.gateway.world.receipt_key)
    async with _serving(road, honest):
        road.do("UPDATE outbox_link SET next_try_at = now(), backoff_ms = 0")
        async with road.dispatch():
            await eventually(lambda: len(honest.held) == FEW)
            await road.acknowledged(len(honest.items), link=PEER)


def _multiply(road: Road, count: int) -> None:
    """Queue so many large letters. Copies do, since nobody is to believe a receipt for them."""
    (first,) = road.post(link=PEER, payload=bytes(_MANY_BYTES))
    road.do(
        "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind,"
        " size, envelope, digest, expires_at, accepted_at)"
        " SELECT gen_random_uuid(), tenant_role, link, recipient, case_id, case_sequence, kind,"
        " size, envelope, digest, expires_at, accepted_at"
        " FROM outbox_letter, generate_series(2, %s) WHERE id = %s",
        count,
        first,
    )


async def _twice(receiver: FakeReceiver | speaker.Receiver) -> None:
    """Wait until dispatch has tried it again: what one call costs must not add up."""
    await eventually(lambda: len(receiver.hellos) > 1)

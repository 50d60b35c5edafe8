"""Letters cross: numbered, sent, receipted, with the positions and proofs that follow."""

from functools import partial

import pytest

from federation.dispatch import session
from federation.dispatch.pace import Pace
from federation.protocol import receipts
from federation.protocol.receipts import Sent
from federation.wire.receipt import decode_body
from tests.integration.federation.dispatch.conftest import Road


async def test_letter_crosses_and_its_receipt_is_stored(road: Road) -> None:
    (message_id,) = road.post()
    async with road.dispatch():
        await road.acknowledged(1)

    (stored,) = road.gateway.stored()
    assert stored["id"] == message_id
    (receipt,) = road.rows("SELECT * FROM outbox_receipt")
    (sent,) = road.rows("SELECT lseq, digest FROM outbox_letter")
    body = decode_body(receipt["body"])
    verdict = receipts.proves(
        body,
        sent=Sent(message_id, bytes(sent["digest"])),
        lseq=sent["lseq"],
        path=receipts.proof(bytes(receipt["leaves"]), index=0),
    )
    assert verdict == receipts.ACCEPTED
    assert road.told


async def test_many_letters_cross_once_each(road: Road) -> None:
    ids = road.post(300)
    async with road.dispatch():
        await road.acknowledged(300)
        more = road.post(5)
        await road.acknowledged(305)
    assert sorted(row["id"] for row in road.gateway.stored()) == sorted(ids + more)
    assert road.rows("SELECT last_lseq FROM outbox_receipt WHERE first_lseq > last_lseq") == []


async def test_lone_letter_behind_a_receipt_does_not_linger(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its poke may be suppressed, and the letter before has no longer anything under way."""
    monkeypatch.setattr(session, "Pace", partial(Pace, linger=60.0))
    road.post()
    async with road.dispatch():
        await road.acknowledged(1)
        road.post()
        await road.acknowledged(2)

"""The honest way of a letter through the gateway."""

import asyncio
from hashlib import sha256

import grpc
import pytest
from django.db import connection

from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.gateway import sql
from federation.inbox import selectors
from federation.protocol import receipts
from federation.protocol.reasons import Reason
from federation.protocol.receipts import GENESIS, Sent, SignedReceipt, Status
from federation.wire.errors import from_rpc_error
from federation.wire.receipt import verify_receipt
from tests.factories.letters import letter, letters_together
from tests.plugins.gateway import PEER, Gateway


async def test_letters_under_one_signature_are_stored_byte_for_byte(gateway: Gateway) -> None:
    offices = gateway.world.offices
    items = letters_together(offices["kiel"], offices["alpha"], 64)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *items[:40])
        assert receipt.exceptions == ()
        assert (await stream.deliver(41, *items[40:])).exceptions == ()
    assert [bytes(row["envelope"]) for row in gateway.stored()] == items


async def test_a_letter_is_stored_byte_for_byte_and_receipted(gateway: Gateway) -> None:
    offices = gateway.world.offices
    item = letter(offices["kiel"], offices["alpha"])
    async with gateway.stream() as stream:
        assert stream.welcome.in_lseq == 0
        assert stream.welcome.receipt_hash == GENESIS
        assert stream.welcome.max_signed_together == 64
        receipt = await stream.deliver(1, item)
    assert (receipt.issuer, receipt.origin) == ("krz", PEER)
    assert (receipt.first_lseq, receipt.last_lseq) == (1, 1)
    assert receipt.exceptions == ()
    (row,) = gateway.stored()
    assert bytes(row["envelope"]) == item
    assert bytes(row["digest"]) == sha256(item).digest()
    assert row["state"] == "pending"
    assert row["lseq"] == 1
    assert gateway.position() == 1


async def test_frames_at_hand_share_a_receipt_and_receipts_are_chained(gateway: Gateway) -> None:
    offices = gateway.world.offices
    async with gateway.stream() as stream:
        for first in range(1, 101, 10):
            items = [letter(offices["kiel"], offices["beta"]) for _ in range(10)]
            await stream.send(first, *items)
        hashes, covered = [GENESIS], 0
        while covered < 100:
            signed, receipt = await stream.signed_receipt()
            assert receipt.first_lseq == covered + 1
            assert receipt.prev_hash == hashes[-1]
            hashes.append(signed.hash)
            covered = receipt.last_lseq
    assert len(hashes) <= 11
    assert len(gateway.stored()) == 100
    assert all(row["tenant_role"] == "krz_t_beta" for row in gateway.stored())


async def test_a_repeated_letter_is_a_duplicate_under_its_new_number(gateway: Gateway) -> None:
    offices = gateway.world.offices
    item = letter(offices["kiel"], offices["alpha"])
    async with gateway.stream() as stream:
        await stream.deliver(1, item)
        receipt = await stream.deliver(2, item)
    assert receipt.verdict(2).status is Status.DUPLICATE
    assert len(gateway.stored()) == 1


async def test_a_receiving_municipality_can_prove_what_it_was_sent(
    gateway: Gateway, alpha: Municipality
) -> None:
    offices = gateway.world.offices
    items = [letter(offices["kiel"], offices["alpha"]) for _ in range(3)]
    async with gateway.stream() as stream:
        await stream.deliver(1, *items)
    message_id = gateway.stored()[1]["id"]

    def prove() -> tuple[bytes | None, selectors.IssuedProof | None]:
        try:
            with tenant_scope(alpha):
                return selectors.envelope(message_id), selectors.issued_receipt(message_id)
        finally:
            connection.close()

    envelope, proof = await asyncio.to_thread(prove)
    assert envelope == items[1]
    assert proof is not None
    receipt = SignedReceipt(proof.body, proof.kid, proof.signature)
    body = verify_receipt(receipt, key=gateway.world.receipt_key.verify_key)
    path = receipts.proof(proof.leaves, index=proof.lseq - body.first_lseq)
    sent = Sent(message_id, sha256(items[1]).digest())
    assert receipts.proves(body, sent=sent, lseq=proof.lseq, path=path) == receipts.ACCEPTED


async def test_new_letters_cost_one_statement_and_others_are_looked_at_one_by_one(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    position = sql.position

    async def watched(connection: sql.Connection, link: str, *, lock: bool = False) -> sql.Position:
        if lock:
            looked.append(link)
        return await position(connection, link, lock=lock)

    monkeypatch.setattr(sql, "position", watched)
    offices = gateway.world.offices
    first, second, third = (letter(offices["kiel"], offices["alpha"]) for _ in range(3))
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        await stream.deliver(2, second, b"forged")  # a refused letter is no reason to look
        assert looked == []
        receipt = await stream.deliver(4, third, first)
        assert looked == [PEER]
        assert [each.status.name for each in receipt.verdicts()] == ["ACCEPTED", "DUPLICATE"]
        # The link has moved behind this gateway's back: another one has taken letters.
        gateway.do("UPDATE inbox_inboundlink SET in_lseq = in_lseq + 1")
        await stream.send(6, letter(offices["kiel"], offices["alpha"]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read_on()
    assert from_rpc_error(caught.value).reason is Reason.STREAM_SUPERSEDED
    assert len(gateway.stored()) == 3

"""The honest way of a letter through the gateway."""

from hashlib import sha256

from federation.protocol.receipts import GENESIS, Status
from tests.factories.letters import letter
from tests.plugins.gateway import PEER, Gateway


async def test_a_letter_is_stored_byte_for_byte_and_receipted(gateway: Gateway) -> None:
    offices = gateway.world.offices
    item = letter(offices["kiel"], offices["alpha"])
    async with gateway.stream() as stream:
        assert stream.welcome.in_lseq == 0
        assert stream.welcome.receipt_hash == GENESIS
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
    previous = GENESIS
    covered = 0
    async with gateway.stream() as stream:
        for first in range(1, 101, 10):
            items = [letter(offices["kiel"], offices["beta"]) for _ in range(10)]
            await stream.send(first, *items)
        while covered < 100:
            receipt = await stream.receipt()
            assert receipt.first_lseq == covered + 1
            covered = receipt.last_lseq
    assert len(gateway.stored()) == 100
    assert previous == GENESIS
    assert all(row["tenant_role"] == "krz_t_beta" for row in gateway.stored())


async def test_a_repeated_letter_is_a_duplicate_under_its_new_number(gateway: Gateway) -> None:
    offices = gateway.world.offices
    item = letter(offices["kiel"], offices["alpha"])
    async with gateway.stream() as stream:
        await stream.deliver(1, item)
        receipt = await stream.deliver(2, item)
    assert receipt.verdict(2).status is Status.DUPLICATE
    assert len(gateway.stored()) == 1

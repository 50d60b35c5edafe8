"""Letters that come again, and other letters that come under the id of an earlier one.

To repeat a batch is no fault: whoever has lost a receipt must do it, and cannot be told from one
who replays what he has recorded. So it is answered, changes nothing, and rings no alarm.
"""

from typing import Any, Final
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from centre.kernel.ids import new_id
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ReceiptBody, SignedReceipt, Status, Verdict
from federation.wire.receipt import from_message, verify_receipt
from tests.factories.certificates import Certificate
from tests.factories.letters import Centre, Office, letter, tampered
from tests.integration.federation.misuse.hands import honest, refusal
from tests.integration.federation.misuse.table import Answer, Answered, group
from tests.plugins.gateway import PEER, Gateway, Stream, make_hello

_GROUP = group("Replay, and the same id with other bytes")
_THIRD: Final = "hessen"


async def _signed(stream: Stream, first_lseq: int, *items: bytes) -> SignedReceipt:
    await stream.send(first_lseq, *items)
    signed, body = await stream.signed_receipt()
    assert body.first_lseq == first_lseq
    return signed


async def _call(
    gateway: Gateway,
    first_lseq: int,
    *items: bytes,
    certificate: Certificate | None = None,
    origin: str = PEER,
) -> tuple[SignedReceipt, ReceiptBody]:
    """Deliver by a single call; return the receipt, verified."""
    request = pb.DeliverRequest(
        hello=make_hello(origin), batch=pb.Batch(first_lseq=first_lseq, items=items)
    )
    async with gateway.channel(certificate) as channel:
        response = await link_service_pb2_grpc.LinkServiceStub(channel).Deliver(request)
    (receipt,) = response.receipts
    signed = from_message(receipt)
    return signed, verify_receipt(signed, key=gateway.world.receipt_key.verify_key)


def _answer(verdict: Verdict) -> str:
    return Answer.DUPLICATE if verdict.status is Status.DUPLICATE else str(verdict.reason)


def _compared(first: SignedReceipt, second: SignedReceipt, *kept: bytes) -> Answered:
    return Answered(Answer.REPEATED if first == second else "another receipt", kept)


# -- the same bytes at the same positions ----------------------------------------------------


@_GROUP.case(Answer.REPEATED)
async def batch_again_on_the_same_stream(gateway: Gateway) -> Answered:
    items = [honest(gateway) for _ in range(3)]
    async with gateway.stream() as stream:
        first = await _signed(stream, 1, *items)
        return _compared(first, await _signed(stream, 1, *items), *items)


@_GROUP.case(Answer.REPEATED)
async def batch_again_on_a_later_stream(gateway: Gateway) -> Answered:
    items = [honest(gateway) for _ in range(3)]
    async with gateway.stream() as stream:
        first = await _signed(stream, 1, *items)
    async with gateway.stream(acked_lseq=3, next_lseq=4) as stream:
        return _compared(first, await _signed(stream, 1, *items), *items)


@_GROUP.case(Answer.REPEATED)
async def part_of_a_batch_again(gateway: Gateway) -> Answered:
    items = [honest(gateway) for _ in range(3)]
    async with gateway.stream() as stream:
        first = await _signed(stream, 1, *items)
        await stream.send(2, items[1])
        again, _ = await stream.signed_receipt()
    return _compared(first, again, *items)


@_GROUP.case(Answer.REPEATED)
async def batch_of_a_stream_again_by_single_call(gateway: Gateway) -> Answered:
    item = honest(gateway)
    async with gateway.stream() as stream:
        first = await _signed(stream, 1, item)
    again, _ = await _call(gateway, 1, item)
    return _compared(first, again, item)


@_GROUP.case(Answer.REPEATED)
async def batch_of_a_single_call_again_by_a_hundred_calls(gateway: Gateway) -> Answered:
    item = honest(gateway)
    first, _ = await _call(gateway, 1, item)
    answers = {(await _call(gateway, 1, item))[0] for _ in range(100)}
    (again,) = answers
    return _compared(first, again, item)


@_GROUP.case(Answer.REPEATED)
async def batch_of_a_single_call_again_on_a_stream(gateway: Gateway) -> Answered:
    item = honest(gateway)
    first, _ = await _call(gateway, 1, item)
    async with gateway.stream(acked_lseq=1, next_lseq=2) as stream:
        return _compared(first, await _signed(stream, 1, item), item)


# -- the same bytes at other positions -------------------------------------------------------


@_GROUP.case(Answer.DUPLICATE)
async def old_letter_at_a_new_position(gateway: Gateway) -> Answered:
    item = honest(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, item)
        receipt = await stream.deliver(2, item)
    return Answered(_answer(receipt.verdict(2)), (item,))


@_GROUP.case(Answer.DUPLICATE)
async def old_letter_at_a_new_position_by_single_call(gateway: Gateway) -> Answered:
    item = honest(gateway)
    await _call(gateway, 1, item)
    _, receipt = await _call(gateway, 2, item)
    return Answered(_answer(receipt.verdict(2)), (item,))


@_GROUP.case(Answer.DUPLICATE)
async def letter_that_is_in_its_batch_a_hundred_times(gateway: Gateway) -> Answered:
    item = honest(gateway)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *[item] * 100)
    (answer,) = {_answer(verdict) for verdict in receipt.verdicts()[1:]}
    return Answered(answer, (item,))


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_that_another_centre_has_recorded(gateway: Gateway) -> Answered:
    item = honest(gateway)
    await _call(gateway, 1, item)
    third, _ = await _third(gateway)
    _, receipt = await _call(gateway, 1, item, certificate=third, origin=_THIRD)
    return Answered(_answer(receipt.verdict(1)), (item,))


# -- other bytes at the same positions -------------------------------------------------------


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def another_letter_at_an_old_position(gateway: Gateway) -> Answered:
    item = honest(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, item)
        await stream.send(1, honest(gateway))
        return Answered(await refusal(stream.read_on()), (item,))


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def another_letter_at_an_old_position_by_single_call(gateway: Gateway) -> Answered:
    item = honest(gateway)
    await _call(gateway, 1, item)
    return Answered(await refusal(_call(gateway, 1, honest(gateway))), (item,))


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def old_letters_in_another_order(gateway: Gateway) -> Answered:
    first, second = honest(gateway), honest(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, first, second)
        await stream.send(1, second, first)
        return Answered(await refusal(stream.read_on()), (first, second))


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def void_at_the_position_of_a_letter(gateway: Gateway) -> Answered:
    """Taken back after it was receipted."""
    item = honest(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, item)
        await stream.send(1, b"")
        return Answered(await refusal(stream.read_on()), (item,))


# -- the same id -----------------------------------------------------------------------------


def _twins(gateway: Gateway, **changes: Any) -> tuple[bytes, bytes]:
    """Return two letters of one id, both genuine."""
    message_id = new_id()
    return (
        honest(gateway, message_id=message_id),
        honest(gateway, message_id=message_id, **changes),
    )


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_twice_in_one_batch(gateway: Gateway) -> Answered:
    first, other = _twins(gateway)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, first, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_in_a_later_batch(gateway: Gateway) -> Answered:
    first, other = _twins(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        receipt = await stream.deliver(2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_on_another_stream(gateway: Gateway) -> Answered:
    first, other = _twins(gateway)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
    async with gateway.stream(acked_lseq=1, next_lseq=2) as stream:
        receipt = await stream.deliver(2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_by_single_call(gateway: Gateway) -> Answered:
    first, other = _twins(gateway)
    await _call(gateway, 1, first)
    _, receipt = await _call(gateway, 2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_with_another_content(gateway: Gateway) -> Answered:
    first, other = _twins(gateway, payload=b"something else")
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        receipt = await stream.deliver(2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_to_another_authority(gateway: Gateway) -> Answered:
    message_id = new_id()
    offices = gateway.world.offices
    first = honest(gateway, message_id=message_id)
    other = letter(offices["kiel"], offices["beta"], message_id=message_id)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        receipt = await stream.deliver(2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Reason.MESSAGE_ID_REUSED, alarm=True)
async def id_again_by_another_authority_of_the_centre(gateway: Gateway) -> Answered:
    message_id = new_id()
    offices = gateway.world.offices
    first = honest(gateway, message_id=message_id)
    other = letter(offices["luebeck"], offices["alpha"], message_id=message_id)
    async with gateway.stream() as stream:
        await stream.deliver(1, first)
        receipt = await stream.deliver(2, other)
    return Answered(_answer(receipt.verdict(2)), (first,))


@_GROUP.case(Answer.APART)
async def id_again_by_another_centre(gateway: Gateway) -> Answered:
    """An id is one of its centre: none can use up another's, or have its letter refused."""
    message_id = new_id()
    first = honest(gateway, message_id=message_id)
    await _call(gateway, 1, first)
    third, office = await _third(gateway)
    own = letter(office, gateway.world.offices["alpha"], message_id=message_id)
    _, receipt = await _call(gateway, 1, own, certificate=third, origin=_THIRD)
    accepted = receipt.verdict(1).status is Status.ACCEPTED
    assert [row["id"] for row in gateway.stored() if row["origin"] in {PEER, _THIRD}] == [
        UUID(bytes=message_id.bytes)
    ] * 2
    return Answered(Answer.APART if accepted else _answer(receipt.verdict(1)), (first, own))


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def id_that_a_forgery_has_used_before(gateway: Gateway) -> Answered:
    """What is not held takes no id: the genuine letter comes in after it."""
    genuine = honest(gateway)
    forgery = tampered(genuine, lambda envelope: setattr(envelope, "case_sequence", 2))
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, forgery, genuine)
    return Answered(_answer(receipt.verdict(1)), (genuine,))


async def _third(gateway: Gateway) -> tuple[Certificate, Office]:
    """Let a third centre join, with an authority."""
    world = gateway.world
    certificate, office = world.authority.issue(_THIRD), Office(_THIRD)
    centre = Centre(_THIRD, (certificate.fingerprint,))
    world.directory = world.directory.with_centre(centre).with_office(office)
    await gateway.lookout.refresh()
    return certificate, office

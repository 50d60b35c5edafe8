"""Frames and their order."""

from typing import Any

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.protocol import limits
from federation.protocol.reasons import Reason
from tests.integration.federation.misuse.hands import (
    DELIVER,
    HELLO,
    batch,
    frames,
    hello,
    honest,
    refusal,
)
from tests.integration.federation.misuse.table import group
from tests.plugins.gateway import Gateway, make_hello

_GROUP = group("Frames and their order")


@_GROUP.case(Reason.FRAME_MALFORMED)
async def frame_of_garbage(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, b"\xff\xff\xff\xff")


@_GROUP.case(Reason.HELLO_MISSING)
async def stream_that_begins_with_garbage(gateway: Gateway) -> str:
    return await frames(gateway, b"\xff\xff\xff\xff")


@_GROUP.case(Reason.HELLO_MISSING)
async def stream_that_begins_with_a_batch(gateway: Gateway) -> str:
    return await frames(gateway, batch(1, honest(gateway)))


@_GROUP.case(Reason.HELLO_MISSING)
async def stream_that_begins_with_nothing(gateway: Gateway) -> str:
    return await frames(gateway, b"")


@_GROUP.case(Reason.FRAME_MALFORMED)
async def second_hello(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, HELLO)


@_GROUP.case(Reason.FRAME_MALFORMED)
async def empty_frame(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, b"")


@_GROUP.case(Reason.FRAME_MALFORMED)
async def batch_without_items(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(1))


@_GROUP.case(Reason.FRAME_MALFORMED)
async def batch_without_a_number(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(0, honest(gateway)))


@_GROUP.case(Reason.FRAME_MALFORMED)
async def batch_beyond_all_numbers(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(2**64 - 1, honest(gateway)))


@_GROUP.case(Reason.BATCH_TOO_LARGE)
async def batch_of_too_many_items(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(1, *[b"x"] * (limits.MAX_BATCH_ITEMS + 1)))


@_GROUP.case(Reason.BATCH_TOO_LARGE)
async def batch_of_too_many_bytes(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(1, *[bytes(limits.MIB - 1)] * 3))


@_GROUP.case(Reason.RATE_EXCEEDED)
async def frame_larger_than_the_transport_takes(gateway: Gateway) -> str:
    """Refused by gRPC itself, before it is read: RESOURCE_EXHAUSTED without details."""
    return await frames(gateway, HELLO, batch(1, *[bytes(limits.MIB)] * 6))


@_GROUP.case(Reason.PROTOCOL_UNSUPPORTED)
async def hello_of_another_protocol(gateway: Gateway) -> str:
    return await hello(gateway, versions=[2, 3])


@_GROUP.case(Reason.PROTOCOL_UNSUPPORTED)
async def hello_of_no_protocol(gateway: Gateway) -> str:
    return await hello(gateway, versions=[])


@_GROUP.case(Reason.FRAME_MALFORMED)
async def hello_that_contradicts_itself(gateway: Gateway) -> str:
    return await hello(gateway, acked_lseq=7, next_lseq=7)


@_GROUP.case(Reason.SEQUENCE_GAP)
async def gap_in_the_numbers(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(2, honest(gateway)))


@_GROUP.case(Reason.CREDIT_EXCEEDED, alarm=True)
async def more_letters_than_credit(gateway: Gateway) -> str:
    many = [
        batch(first, *[b"garbage"] * limits.MAX_BATCH_ITEMS)
        for first in range(1, 10 * limits.CREDIT_MESSAGES, limits.MAX_BATCH_ITEMS)
    ]
    return await frames(gateway, HELLO, *many)


async def deliver(gateway: Gateway, raw: bytes) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary(DELIVER)
        return await refusal(call(raw))


@_GROUP.case(Reason.FRAME_MALFORMED)
async def deliver_garbage(gateway: Gateway) -> str:
    return await deliver(gateway, b"\xff\xff")


@_GROUP.case(Reason.FRAME_MALFORMED)
async def deliver_without_hello(gateway: Gateway) -> str:
    request = pb.DeliverRequest(batch=batch(1, honest(gateway)).batch)
    return await deliver(gateway, request.SerializeToString())


@_GROUP.case(Reason.FRAME_MALFORMED)
async def deliver_nothing(gateway: Gateway) -> str:
    return await deliver(gateway, pb.DeliverRequest(hello=make_hello()).SerializeToString())


@_GROUP.case(Reason.SEQUENCE_GAP)
async def deliver_with_a_gap(gateway: Gateway) -> str:
    request = pb.DeliverRequest(hello=make_hello(), batch=batch(9, honest(gateway)).batch)
    return await deliver(gateway, request.SerializeToString())


@_GROUP.case(Reason.ORIGIN_MISMATCH, alarm=True)
async def deliver_in_the_name_of_another_centre(gateway: Gateway) -> str:
    request = pb.DeliverRequest(hello=make_hello("sachsen"), batch=batch(1, honest(gateway)).batch)
    return await deliver(gateway, request.SerializeToString())


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def other_letters_under_old_numbers(gateway: Gateway) -> str:
    """The old numbers were void: nothing is stored that could be compared, the receipt is."""
    return await frames(gateway, HELLO, batch(1, b"", b""), batch(1, b"", honest(gateway)))


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def batch_that_is_half_old_and_half_new(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(1, b"", b""), batch(2, b"", honest(gateway)))


@_GROUP.case(Reason.FRAME_MALFORMED)
async def credit_instead_of_a_batch(gateway: Gateway) -> str:
    """A frame of the other direction; its number is unknown here."""
    answer = pb.ExchangeResponse(credit=pb.Credit(messages=1)).SerializeToString()
    return await frames(gateway, HELLO, answer)


@_GROUP.case(Reason.FRAME_MALFORMED)
async def batch_whose_numbers_overflow(gateway: Gateway) -> str:
    return await frames(gateway, HELLO, batch(2**63 - 1, b"", b""))


@_GROUP.case(Reason.SEQUENCE_REWIND, alarm=True)
async def hello_that_knows_more_than_was_ever_signed(gateway: Gateway) -> str:
    """The stream is open, since letters may still come; a person is told."""
    async with gateway.stream(acked_lseq=99, next_lseq=100):
        pass
    return gateway.alarms()[-1]


@_GROUP.case(Reason.FRAME_MALFORMED)
async def hello_without_an_origin(gateway: Gateway) -> str:
    return await hello(gateway, origin="")


@_GROUP.case(Reason.STREAM_SUPERSEDED)
async def two_streams_at_once(gateway: Gateway) -> str:
    async with gateway.stream() as older, gateway.stream():
        return await refusal(older.read_on())


@_GROUP.case(Reason.BATCH_TOO_LARGE)
async def deliver_of_too_many_items(gateway: Gateway) -> str:
    many = batch(1, *[b""] * (limits.MAX_BATCH_ITEMS + 1)).batch
    request = pb.DeliverRequest(hello=make_hello(), batch=many)
    return await deliver(gateway, request.SerializeToString())


@_GROUP.case(Reason.PROTOCOL_UNSUPPORTED)
async def deliver_in_another_protocol(gateway: Gateway) -> str:
    request = pb.DeliverRequest(hello=make_hello(versions=[9]), batch=batch(1, b"").batch)
    return await deliver(gateway, request.SerializeToString())

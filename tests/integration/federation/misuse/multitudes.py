"""Thousands of letters wait, and the receiver answers with too much, or never: 160 MiB lie in the
database, and no more of them may be in memory than is under way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import Any, Final
from unittest.mock import patch

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import receipt_pb2

from centre.keys import sign
from federation.dispatch import session
from federation.protocol import limits
from federation.protocol.frames import Credit, Welcome
from federation.protocol.reasons import Reason
from federation.wire.frames import write_welcome
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.misuse.table import MANY, receivers

_GROUP = receivers("Thousands of letters, and answers without end")
_FRAME: Final = limits.MAX_FRAME_BYTES - 4 * limits.KIB

type Converse = Callable[[FakeReceiver, Any], Awaitable[None]]


def _enter(expected: str, *, alarm: bool = True) -> Callable[[Converse], Converse]:
    """Enter a receiver that answers the hello and goes on as the decorated function says."""

    def enter(converse: Converse) -> Converse:
        async def misuse(receiver: FakeReceiver) -> str:
            async def exchange(context: Any) -> None:
                receiver.hellos.append((await context.read()).hello)
                await converse(receiver, context)

            receiver._exchange = exchange  # type: ignore[method-assign]
            patch.object(session, "RECEIPT_TIMEOUT_S", 1.5).start()
            patch.object(session, "_LOOK_FOR_OVERDUE_S", 0.2).start()
            return expected

        _GROUP.add(converse.__name__.strip("_"), misuse, expected, alarm=alarm, letters=MANY)
        return converse

    return enter


async def _welcome(receiver: FakeReceiver, context: Any, credit: Credit | None = None) -> None:
    welcome = Welcome(
        receiver=receiver.name, in_lseq=0, receipt_hash=bytes(32), credit=credit or Credit()
    )
    await context.write(pb.ExchangeResponse(welcome=write_welcome(welcome)))


async def _read_on(context: Any) -> None:
    """Take letters and forget them."""
    while isinstance(await context.read(), pb.ExchangeRequest):
        pass


async def _without_end(context: Any, responses: Iterator[Any]) -> None:
    for response in responses:
        await context.write(response)
        await asyncio.sleep(0)


@_enter("RECEIPT_MISSING", alarm=False)
async def letters_taken_and_never_receipted(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context)
    await _read_on(context)


@_enter("RECEIPT_MISSING", alarm=False)
async def all_credit_and_never_a_receipt(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context, Credit(2**32 - 1, 2**63 - 1))
    await _read_on(context)


@_enter("RECEIPT_MISSING", alarm=False)
async def all_credit_and_nothing_is_read(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context, Credit(2**32 - 1, 2**63 - 1))
    await asyncio.sleep(60)


@_enter("RECEIPT_MISSING", alarm=False)
async def credit_frames_without_end(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context)
    await _without_end(context, repeat(pb.ExchangeResponse(credit=pb.Credit(messages=2**32 - 1))))


@_enter("FRAME_UNKNOWN")
async def welcomes_without_end(receiver: FakeReceiver, context: Any) -> None:
    while True:
        await _welcome(receiver, context)


@_enter(Reason.FRAME_MALFORMED)
async def welcome_of_four_mebibytes(_: FakeReceiver, context: Any) -> None:
    welcome = pb.Welcome(version=1, receiver="x" * _FRAME)
    await context.write(pb.ExchangeResponse(welcome=welcome))


@_enter(Reason.RATE_EXCEEDED, alarm=False)
async def welcome_of_eight_mebibytes(_: FakeReceiver, context: Any) -> None:
    """More than the transport takes: ended by our own end of it."""
    welcome = pb.Welcome(version=1, receiver="x" * 8 * limits.MIB)
    await context.write(pb.ExchangeResponse(welcome=welcome))


@_enter("FRAME_UNKNOWN")
async def garbage_without_end(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context)
    await _without_end(context, repeat(b"\xff" * _FRAME))


@_enter("WELCOME_MISSING")
async def garbage_instead_of_a_welcome(_: FakeReceiver, context: Any) -> None:
    await _without_end(context, repeat(b"\xff" * _FRAME))


@_enter("FRAME_UNKNOWN")
async def frames_of_tomorrow_without_end(receiver: FakeReceiver, context: Any) -> None:
    """Well-formed, and all of it in a field that we do not know."""
    await _welcome(receiver, context)
    field = b"\xa2\x06\x80\x80\xc0\x01" + bytes(3 * limits.MIB)
    await _without_end(context, repeat(pb.ExchangeResponse.FromString(field)))


@_enter("RECEIPT_INVALID")
async def receipts_of_four_mebibytes(receiver: FakeReceiver, context: Any) -> None:
    await _welcome(receiver, context)
    receipt = receipt_pb2.Receipt(body=bytes(_FRAME))
    await _without_end(context, repeat(pb.ExchangeResponse(receipt=receipt)))


@_enter("RECEIPT_INVALID")
async def receipts_with_a_hundred_thousand_outcomes(receiver: FakeReceiver, context: Any) -> None:
    """Signed by the receiver itself, so that they are read."""
    await _welcome(receiver, context)
    body = receipt_pb2.ReceiptBody(
        format=1, issuer=receiver.name, origin=receiver.origin, first_lseq=1, last_lseq=4096
    )
    for lseq in range(1, 100_000):
        body.exceptions.add(lseq=lseq, status=receipt_pb2.OUTCOME_STATUS_REFUSED, reason="EXPIRED")
    raw = body.SerializeToString(deterministic=True)
    receipt = receipt_pb2.Receipt(
        body=raw,
        signature={
            "signer": receiver.name.encode(),
            "key_id": receiver.key.kid,
            "value": receiver.key.sign(context=sign.RECEIPT, message=raw),
        },
    )
    await _without_end(context, repeat(pb.ExchangeResponse(receipt=receipt)))

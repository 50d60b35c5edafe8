"""A hostile receiver against our dispatch. What receipts may say, a stranger tries: `receipts`.

Each case changes how a receiver answers; the answer here is the fault that dispatch notes with the
link. Nothing it says counts: no letter becomes *relayed* that was not receipted by the protocol.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import receipt_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from federation.dispatch import session
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.protocol.receipts import SignedReceipt, Status, Verdict
from federation.wire.errors import DOMAIN
from tests.fakes import receiver as fake
from tests.fakes.receiver import FakeReceiver
from tests.integration.federation.misuse.table import receivers

RECEIPT_INVALID: Final = "RECEIPT_INVALID"

type Change = Callable[[FakeReceiver], None]


def _enter(group: Any, title: str, change: Change, expected: str, *, alarm: bool = True) -> None:
    async def misuse(receiver: FakeReceiver) -> str:
        change(receiver)
        return expected

    group.add(title, misuse, expected, alarm=alarm)


# -- the stream ------------------------------------------------------------------------------

_STREAM = receivers("Welcomes, frames and silence")


def _welcome(**values: Any) -> Change:
    def enter(receiver: FakeReceiver) -> None:
        receiver.welcome = lambda welcome: replace(welcome, **values)

    return enter


_enter(
    _STREAM,
    "welcome_that_claims_what_was_never_sent",
    _welcome(in_lseq=1000),
    "POSITION_IMPOSSIBLE",
)
_enter(
    _STREAM,
    "welcome_at_the_end_of_all_numbers",
    _welcome(in_lseq=2**63 - 1),
    "POSITION_IMPOSSIBLE",
)
_enter(_STREAM, "welcome_in_another_name", _welcome(receiver="sachsen"), "WRONG_PEER")


def _ends(*, reason: Reason) -> Change:
    def refuse(_: pb.Batch) -> None:
        raise CallRefused(reason, "as it pleases")

    return lambda receiver: setattr(receiver, "before", refuse)


for _reason in (Reason.UNAVAILABLE, Reason.RATE_EXCEEDED, Reason.STREAM_SUPERSEDED):
    _enter(
        _STREAM,
        f"stream_that_ends_again_and_again_with_{_reason.lower()}",
        _ends(reason=_reason),
        _reason,
        alarm=False,
    )


def _answers(make: Callable[[], Any]) -> Change:
    """Let the receiver answer each batch with other frames."""

    def enter(receiver: FakeReceiver) -> None:
        async def send(context: Any, _: SignedReceipt) -> None:
            for response in make():
                await context.write(response)

        receiver._send = send  # type: ignore[method-assign]

    return enter


def _many_credits() -> Iterator[pb.ExchangeResponse]:
    for _ in range(2000):
        yield pb.ExchangeResponse(credit=pb.Credit(messages=2**32 - 1, bytes=2**64 - 1))


_enter(
    _STREAM,
    "frame_without_content",
    _answers(lambda: [pb.ExchangeResponse()]),
    "FRAME_UNKNOWN",
)
_enter(
    _STREAM,
    "second_welcome",
    _answers(lambda: [pb.ExchangeResponse(welcome=pb.Welcome(receiver="nord"))]),
    "FRAME_UNKNOWN",
)
_enter(
    _STREAM,
    "receipt_without_content",
    _answers(lambda: [pb.ExchangeResponse(receipt=receipt_pb2.Receipt())]),
    RECEIPT_INVALID,
)


def _endless_credit(receiver: FakeReceiver) -> None:
    """Credit beyond all numbers, and never a receipt: what is under way stays bounded."""
    _answers(_many_credits)(receiver)
    patch.object(session, "RECEIPT_TIMEOUT_S", 1.0).start()
    patch.object(session, "_LOOK_FOR_OVERDUE_S", 0.2).start()


def _silence(receiver: FakeReceiver) -> None:
    _answers(list)(receiver)
    patch.object(session, "RECEIPT_TIMEOUT_S", 1.0).start()
    patch.object(session, "_LOOK_FOR_OVERDUE_S", 0.2).start()


_enter(
    _STREAM, "credit_without_end_and_no_receipt", _endless_credit, "RECEIPT_MISSING", alarm=False
)
_enter(_STREAM, "silence_instead_of_receipts", _silence, "RECEIPT_MISSING", alarm=False)


def _no_welcome(receiver: FakeReceiver) -> None:
    async def exchange(context: Any) -> None:
        receiver.hellos.append((await context.read()).hello)
        await asyncio.sleep(60)

    receiver._exchange = exchange  # type: ignore[method-assign]
    patch.object(session, "HELLO_TIMEOUT_S", 0.3).start()


_enter(_STREAM, "hello_that_is_never_answered", _no_welcome, "WELCOME_MISSING", alarm=False)


def _garbage_welcome(receiver: FakeReceiver) -> None:
    async def exchange(context: Any) -> None:
        receiver.hellos.append((await context.read()).hello)
        await context.write(pb.ExchangeResponse(credit=pb.Credit(messages=1)))

    receiver._exchange = exchange  # type: ignore[method-assign]


_enter(_STREAM, "credit_instead_of_a_welcome", _garbage_welcome, "WELCOME_MISSING")


# -- words ----------------------------------------------------------------------------------


def _ends_with_words(reason: str, message: str) -> Change:
    """Let the stream end with words of the receiver's own."""

    async def exchange(context: Any) -> None:
        await context.read()
        status = status_pb2.Status(code=code_pb2.Code.FAILED_PRECONDITION, message=message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
        trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message, trailers)

    return lambda receiver: setattr(receiver, "_exchange", exchange)


_WORDS = receivers("Words of its own")
for _name, _said, _message, _noted in (
    ("reason_of_a_thousand_letters", "X" * 1000, "as it pleases", Reason.INTERNAL),
    ("reason_of_null_bytes", "\0" * 10, "as it pleases", Reason.INTERNAL),
    ("reason_that_nobody_knows", "OF_TOMORROW", "as it pleases", "OF_TOMORROW"),
    ("message_of_null_bytes", "OF_TOMORROW", "\0" * 10, "OF_TOMORROW"),
    ("message_of_four_thousand_letters", "OF_TOMORROW", "x" * 4000, "OF_TOMORROW"),
):
    _enter(
        _WORDS,
        f"stream_that_ends_with_a_{_name}",
        _ends_with_words(_said, _message),
        _noted,
        alarm=False,
    )


def _refuses(reason: str) -> Change:
    """Let the receiver refuse everything, by a receipt that is in order but for the reason."""
    verdict = Verdict(Status.REFUSED, reason)
    return lambda _: patch.object(fake, "ACCEPTED", verdict).start()


_enter(_WORDS, "refusal_for_a_reason_of_null_bytes", _refuses("\0" * 10), RECEIPT_INVALID)
_enter(_WORDS, "refusal_for_a_reason_of_a_thousand_letters", _refuses("X" * 1000), RECEIPT_INVALID)
_enter(_WORDS, "refusal_for_a_reason_of_62_letters", _refuses("X" * 62), RECEIPT_INVALID)

"""What the end of a call means for the link. Pure, but for the names of gRPC's status codes."""

from dataclasses import dataclass
from typing import Final

import grpc

from federation.dispatch.isolation import Ending
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reaction
from federation.wire.errors import Failure, from_rpc_error

#: Statuses with which the peer itself says that something in the frame was too much for it.
_KILLING: Final = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_SEVERED: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a call ended, in the words that are kept with the link."""

    code: str
    detail: str
    #: What the end says about the frame under way; None if nothing.
    ending: Ending | None = None
    #: The peer asked us to stay away so long.
    told_ms: int = 0
    #: A person must see it.
    alarm: bool = False
    #: The directory may be behind.
    refresh: bool = False


def from_rpc(error: grpc.RpcError) -> Fault:
    """Judge a call that ended with an error of gRPC."""
    return judge(from_rpc_error(error))


def judge(failure: Failure) -> Fault:
    ending = None
    if failure.reaction in {Reaction.BISECT, Reaction.PARK, Reaction.ALARM} or (
        failure.reaction is Reaction.RETRY and failure.code in _KILLING
    ):
        ending = Ending.KILLED
    elif failure.reaction is Reaction.RETRY and failure.code in _SEVERED and not failure.metadata:
        ending = Ending.CUT
    delay = failure.retry_delay
    return Fault(
        code=str(failure.reason),
        detail=f"{failure.code.name}: {failure.message}"[:500],
        ending=ending,
        told_ms=0 if delay is None else int(delay.total_seconds() * 1000),
        alarm=failure.reaction in {Reaction.CALL_OPERATOR, Reaction.ALARM},
        refresh=failure.reaction in {Reaction.REFRESH, Reaction.CALL_OPERATOR},
    )


def from_refusal(refusal: CallRefused) -> Fault:
    """Judge an answer of the peer that we cannot work with."""
    return Fault(code=refusal.reason, detail=refusal.message[:500], alarm=True)

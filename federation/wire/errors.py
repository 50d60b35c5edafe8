"""Errors as gRPC tells them: the only place that knows `google.rpc.Status`.

A refusal becomes a status with exactly one `ErrorInfo` (AIP-193) and a `RetryInfo` where there is a
time to come again. Coming back, a status becomes a `Failure` that tells the dispatcher what to do,
also where a proxy or the library itself made it up and it carries no details.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Code, Reaction, Reason

#: Names our reasons in `ErrorInfo`.
DOMAIN: Final = "amtsbruecke.exchange"

_DETAILS_KEY: Final = "grpc-status-details-bin"
_MAX_DELAY_S: Final = 3600.0

#: The words of gRPC for a write that failed because the call was over. Why it was, they do not say:
#: nothing that the frame has done.
STATUS_LOST: Final = "Internal error from Core"

#: What a bare status of the transport means.
_BARE: Final = {
    grpc.StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.RATE_EXCEEDED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.PEER_UNKNOWN,
    grpc.StatusCode.PERMISSION_DENIED: Reason.CENTRE_SUSPENDED,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.FRAME_MALFORMED,
    grpc.StatusCode.CANCELLED: Reason.UNAVAILABLE,
}
_CODES: Final = {Code[code.name]: code for code in grpc.StatusCode if code.name in Code}


@dataclass(frozen=True, slots=True)
class Abort:
    """How to end a call: the arguments of `context.abort`, by name."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed, as the caller should take it."""

    code: grpc.StatusCode
    reason: Reason | str
    reaction: Reaction
    message: str
    retry_delay: timedelta | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def to_abort(error: BaseException) -> Abort:
    """Return how to tell an error to the peer. Faults of our own show no detail."""
    if not isinstance(error, CallRefused):
        error = CallRefused(Reason.INTERNAL, "Something went wrong here.")
    code = _CODES[error.why.code]
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=error.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=error.why.value, domain=DOMAIN, metadata=dict(error.metadata)
        )
    )
    if error.retry_delay is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=error.retry_delay))
        status.details.add().Pack(retry)
    return Abort(code, error.message, ((_DETAILS_KEY, status.SerializeToString()),))


def from_rpc_error(error: grpc.RpcError) -> Failure:
    """Return what a failed call means. Takes errors of both the blocking and the asyncio API."""
    code: grpc.StatusCode = error.code()
    # The peer's own words: what PostgreSQL keeps in no text must not come that far.
    message: str = (error.details() or "").replace("\0", "")
    if message == STATUS_LOST:
        code = grpc.StatusCode.UNAVAILABLE
    status = _read_status(error.trailing_metadata() or ())
    info, delay = _read_details(status)
    reason: Reason | str = _BARE.get(code, Reason.INTERNAL)
    reaction = Reason(reason).reaction
    if info is not None and info.domain == DOMAIN and limits.REASON.fullmatch(info.reason):
        reason = info.reason
        if reason in Reason:
            reason = Reason(reason)
            reaction = reason.reaction
    metadata = dict(info.metadata) if info is not None else {}
    return Failure(code, reason, reaction, message, delay, metadata)


def _read_status(trailers: Iterable[Any]) -> status_pb2.Status | None:
    for key, value in trailers:
        if key == _DETAILS_KEY:
            try:
                status: status_pb2.Status = status_pb2.Status.FromString(value)
            except DecodeError:
                return None
            return status
    return None


def _read_details(
    status: status_pb2.Status | None,
) -> tuple[error_details_pb2.ErrorInfo | None, timedelta | None]:
    info, delay = None, None
    for detail in status.details if status is not None else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
            delay = timedelta(seconds=min(max(seconds, 0.0), _MAX_DELAY_S))
    return info, delay

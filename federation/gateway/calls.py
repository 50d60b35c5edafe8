"""What stands around every call: who calls, how often, and how a refusal is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from federation.gateway import metrics
from federation.gateway.desk import Desk
from federation.gateway.guards import Guard
from federation.gateway.peers import Peer
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.wire import errors

log = structlog.get_logger(__name__)

type Context = grpc.aio.ServicerContext[Any, Any]

ABORT_TIMEOUT_S = 5.0

#: The label of callers that the directory does not know: their own words never become labels.
_STRANGER: Final = "-"


class Malformed:
    """Stands in for a request whose bytes are no message."""


MALFORMED: Final = Malformed()


def tolerant[T](read: Callable[[bytes], T]) -> Callable[[bytes], T | Malformed]:
    """Return a deserialiser that lets the servicer, and so our error table, answer garbage."""

    def deserialise(raw: bytes) -> T | Malformed:
        try:
            return read(raw)
        except DecodeError:
            return MALFORMED

    return deserialise


@asynccontextmanager
async def admitted(desk: Desk, context: Context, guard: Guard) -> AsyncIterator[Peer]:
    """Let a known peer in, within its limits; answer every refusal in the block as documented."""
    link = _STRANGER
    try:
        peer = desk.gatekeeper.identify(context.auth_context())
        if desk.gatekeeper.knows(peer):
            link = peer.centre
        peer = desk.gatekeeper.still_admitted(peer)
        desk.check_open()
        with guard.call(peer.centre):
            yield peer
    except CallRefused as error:
        metrics.calls_refused.labels(link, error.why).inc()
        log.info("call refused", link=link, reason=error.reason)
        await desk.alarms.ring(link, error.why, error.message)
        await abort(context, error)
    except grpc.aio.AbortError:
        raise
    except Exception as error:
        log.exception("call broken", link=link)
        await abort(context, error)


async def abort(context: Context, error: Exception) -> None:
    """End a call with its reason, or without one if the peer does not read what stands before it.

    A peer that reads nothing would otherwise hold the call; with many of them, the whole gateway.
    """
    told = errors.to_abort(error)
    with suppress(TimeoutError):
        async with asyncio.timeout(ABORT_TIMEOUT_S):
            await context.abort(told.code, told.details, told.trailing_metadata)


def expect[M: Message](request: M | Malformed, kind: type[M]) -> M:
    """Return a request that could be read; else raise `CallRefused`."""
    if not isinstance(request, kind):
        raise CallRefused(Reason.FRAME_MALFORMED, f"This is no {kind.DESCRIPTOR.name}.")
    return request

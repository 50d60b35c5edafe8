"""Calls whose request has not come yet. Here they are counted, and here their time runs out.

gRPC itself waits for the one request of a unary call without end, and before any code of ours runs.
A few connections with such calls, of any certificate of the federation, would use up all calls that
the server takes at once, and nobody else got in. So every such method is registered as one that
reads its request: the same on the wire, but we are asked first. Nothing is read before the caller
has been counted, so that what waits in memory is bounded, too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final

import grpc

from federation.gateway.calls import Context, abort
from federation.gateway.guards import Guard
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason

REQUEST_TIMEOUT_S = 10.0
_AT_ONCE: Final = 8

type _Find = Callable[
    [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
]


class Doorstep(grpc.aio.ServerInterceptor):
    """Stands before all methods with a single request, those of other rooms included."""

    def __init__(self) -> None:
        # By certificate: whether the directory knows it is asked later, and not by every service.
        # The rate is above those of the methods themselves, which know the centre.
        self._guard = Guard(at_once=_AT_ONCE, rate=400, burst=800)

    async def intercept_service(
        self, continuation: _Find, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a method, with the doorstep before it."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._before(handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.stream_unary_rpc_method_handler(
            self._before(handler.unary_unary),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _before(self, method: Any) -> Any:
        async def wait_for_request(_requests: Any, context: Context) -> Any:
            try:
                with self._guard.call(_certificate(context)):
                    return await method(await _request(context), context)
            except CallRefused as error:
                await abort(context, error)

        return wait_for_request


def _certificate(context: Context) -> str:
    (pem,) = context.auth_context()["x509_pem_cert"]
    return sha256(pem).hexdigest()


async def _request(context: Context) -> Any:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            request = await context.read()
    except TimeoutError as error:
        raise CallRefused(Reason.DEADLINE_EXCEEDED, "No request came in time.") from error
    if request is grpc.aio.EOF:
        raise CallRefused(Reason.FRAME_MALFORMED, "The call ended without a request.")
    return request

"""A peer that ends a call in the middle of our writing is understood, whatever gRPC makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from federation.dispatch.faults import from_rpc
from federation.links.endings import Truthful, answer
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.wire.errors import STATUS_LOST, from_rpc_error, to_abort

_PART = bytes(300_000)
#: Each time the end overtakes another part of the write.
_TIMES = 25


class _Refusing(grpc.GenericRpcHandler):
    """Takes the first message of a call and refuses it while the peer goes on writing."""

    def service(self, details: Any) -> Any:
        if details.method.endswith("Put"):
            return grpc.stream_unary_rpc_method_handler(self._refuse)
        return grpc.stream_stream_rpc_method_handler(self._refuse)

    async def _refuse(self, _requests: Any, context: Any) -> None:
        await context.read()
        abort = to_abort(CallRefused(Reason.DRAINING, "to be seen"))
        await context.abort(abort.code, abort.details, abort.trailing_metadata)


@asynccontextmanager
async def _refusing() -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(grace=0)


async def test_an_upload_that_is_refused_under_way_shows_the_reason() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"header"
        for _ in range(10):
            yield _PART

    async with _refusing() as address:
        for _ in range(_TIMES):
            async with grpc.aio.insecure_channel(address) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await answer(channel.stream_unary("/x/Put")(parts()))
            failure = from_rpc_error(caught.value)
            assert (failure.reason, failure.message) == (Reason.DRAINING, "to be seen")


async def test_a_stream_that_is_ended_under_way_shows_the_reason_to_writer_and_reader() -> None:
    async def write(call: Truthful) -> None:
        while True:
            await call.write(_PART)

    async def read(call: Truthful) -> None:
        while await call.read() is not grpc.aio.EOF:
            pass

    async with _refusing() as address:
        for _ in range(_TIMES):
            async with grpc.aio.insecure_channel(address) as channel:
                call = Truthful(channel.stream_stream("/x/Exchange")())
                ends = await asyncio.gather(read(call), write(call), return_exceptions=True)
            for end in ends:
                # A write that begins after the end is told nothing by gRPC; the reader knows.
                if not isinstance(end, asyncio.InvalidStateError):
                    assert isinstance(end, grpc.aio.AioRpcError)
                    assert from_rpc_error(end).reason is Reason.DRAINING


def test_a_status_that_is_lost_accuses_no_letter() -> None:
    """Were it taken for the peer's, three ends of streams would park an honest letter."""
    nothing = grpc.aio.Metadata()
    lost = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, STATUS_LOST)
    fault = from_rpc(lost)
    assert fault.code == Reason.UNAVAILABLE
    assert fault.ending == "cut"

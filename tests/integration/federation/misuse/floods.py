"""Too much of something, or nothing at all: calls, streams, silence, a peer that does not read."""

import asyncio
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2_grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.gateway import blobs, calls, sessions
from federation.links.endings import Truthful
from federation.protocol import limits
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.integration.federation.misuse.hands import EXCHANGE, HELLO, refusal
from tests.integration.federation.misuse.table import Answer, group
from tests.plugins.gateway import Gateway, make_hello

_GROUP = group("Floods and silence")


@_GROUP.case(Reason.SLOW_READER)
async def peer_that_does_not_read_its_receipts(gateway: Gateway) -> str:
    """Its link has half a megabyte of receipts; it asks for all of them and reads none."""
    lseq = 1
    async with gateway.stream() as stream:
        while lseq < 12 * limits.CREDIT_MESSAGES:
            await stream.deliver(lseq, *[b"garbage"] * limits.MAX_BATCH_ITEMS)
            lseq += limits.MAX_BATCH_ITEMS
    narrow = {"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 65_535}
    before = len(asyncio.all_tasks())
    with (
        patch.object(sessions, "WRITE_TIMEOUT_S", 0.2),
        patch.object(calls, "ABORT_TIMEOUT_S", 0.2),
    ):
        async with gateway.channel(**narrow) as channel:
            call: Any = link_service_pb2_grpc.LinkServiceStub(channel).Exchange()
            await call.write(pb.ExchangeRequest(hello=make_hello(next_lseq=lseq)))
            await _until(lambda: "nord" in gateway.desk.peers_with_streams)
            await _until(lambda: "nord" not in gateway.desk.peers_with_streams)
            # The gateway has let go of the call, though the peer has not read its end.
            await _until(lambda: len(asyncio.all_tasks()) <= before + 2)
            return await refusal(_to_the_end(call))


@_GROUP.case(Reason.HELLO_MISSING)
async def stream_that_says_nothing(gateway: Gateway) -> str:
    with patch.object(sessions, "HELLO_TIMEOUT_S", 0.1):
        async with gateway.channel() as channel:
            return await refusal(_to_the_end(channel.stream_stream(EXCHANGE)()))


@_GROUP.case(Reason.HELLO_MISSING)
async def stream_that_ends_before_it_begins(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.stream_stream(EXCHANGE)()
        await call.done_writing()
        return await refusal(_to_the_end(call))


@_GROUP.case(Reason.DEADLINE_EXCEEDED)
async def upload_that_stalls(gateway: Gateway) -> str:
    with patch.object(blobs, "_DATA_TIMEOUT_S", 0.1):
        async with gateway.channel() as channel:
            call: Any = channel.stream_unary("/amtsbruecke.exchange.v1beta1.BlobService/PutBlob")()
            return await refusal(call)


@_GROUP.case(Reason.TOO_MANY_STREAMS)
async def five_uploads_at_once(gateway: Gateway) -> str:
    offices = gateway.world.offices
    header = blob_service_pb2.PutBlobRequest(
        header=blob_service_pb2.BlobHeader(
            sender=offices["kiel"].id.bytes,
            recipient=offices["alpha"].id.bytes,
            digest=bytes(32),
            size=10,
        )
    )
    async with gateway.channel() as channel:
        method: Any = channel.stream_unary("/amtsbruecke.exchange.v1beta1.BlobService/PutBlob")
        open_ = [method() for _ in range(5)]
        for call in open_:
            with suppress(asyncio.InvalidStateError):
                await Truthful(call).write(header.SerializeToString())
        ends = [asyncio.ensure_future(refusal(call)) for call in open_]
        (first, *_), _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for call in open_:
            call.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        return first.result()


@_GROUP.case(Reason.RATE_EXCEEDED)
async def streams_one_after_the_other_without_end(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        for _ in range(200):
            call = Truthful(channel.stream_stream(EXCHANGE)())
            reason = await refusal(_with_garbage(call))
            if reason != Reason.HELLO_MISSING:
                return reason
    return Answer.BORNE


@_GROUP.case(Reason.RATE_EXCEEDED)
async def thousand_streams_at_once(gateway: Gateway) -> str:
    """On twenty connections; one is served, the others are told why not."""
    reasons: set[str] = set()

    async def attempt(channel: Any) -> None:
        call = Truthful(channel.stream_stream(EXCHANGE)())
        try:
            await call.write(HELLO.SerializeToString())
            await call.read()
            await call.read()
        except grpc.aio.AioRpcError as error:
            reasons.add(str(from_rpc_error(error).reason))
        except asyncio.InvalidStateError:
            pass
        finally:
            call.cancel()

    async with asyncio.timeout(50):
        for _ in range(20):
            async with gateway.channel() as channel:
                tasks = [asyncio.create_task(attempt(channel)) for _ in range(50)]
                await asyncio.wait(tasks, timeout=1)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    assert reasons <= {Reason.RATE_EXCEEDED, Reason.TOO_MANY_STREAMS, Reason.STREAM_SUPERSEDED}
    return Reason.RATE_EXCEEDED if Reason.RATE_EXCEEDED in reasons else str(reasons)


@_GROUP.case(Answer.BORNE)
async def thousand_streams_that_are_reset_at_once(gateway: Gateway) -> str:
    """Opened and cancelled before anything comes of them (*rapid reset*)."""
    async with gateway.channel() as channel:
        for _ in range(1000):
            call: Any = channel.stream_stream(EXCHANGE)()
            await asyncio.sleep(0)
            call.cancel()
    return Answer.BORNE


async def _with_garbage(call: Any) -> None:
    await call.write(b"\xff")
    await _to_the_end(call)


async def _to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- the other end's tasks
            await asyncio.sleep(0.02)

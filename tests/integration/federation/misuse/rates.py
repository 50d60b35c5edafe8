"""Calls that are too many: of each kind a centre has so many at once and so many a second."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from unittest.mock import patch

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2_grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.gateway import sql
from federation.gateway.guards import Bucket
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.factories.letters import Centre
from tests.integration.federation.misuse.hands import DELIVER, PUT_BLOB, refusal
from tests.integration.federation.misuse.table import Answer, group
from tests.plugins.gateway import PEER, Gateway, make_hello

_GROUP = group("Too many calls")

#: What the gateway allows a centre at a time.
_QUESTIONS_AT_ONCE: Final = 8


@_GROUP.case(Reason.RATE_EXCEEDED)
async def positions_asked_for_without_end(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        request = pb.GetPositionRequest(hello=make_hello())
        return await _once_too_often(lambda: stub.GetPosition(request), allowed=400)


@_GROUP.case(Reason.RATE_EXCEEDED)
async def single_calls_of_garbage_without_end(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary(DELIVER)
        return await _once_too_often(lambda: call(b"\xff"), allowed=400)


@_GROUP.case(Reason.RATE_EXCEEDED)
async def uploads_of_nothing_without_end(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.stream_unary(PUT_BLOB)
        return await _once_too_often(lambda: call(iter(())), allowed=100)


@_GROUP.case(Reason.RATE_EXCEEDED)
async def questions_about_documents_without_end(gateway: Gateway) -> str:
    async with gateway.blobs() as stub:
        question = _question(gateway)
        return await _once_too_often(lambda: stub.GetBlobOffset(question), allowed=200)


@_GROUP.case(Reason.TOO_MANY_STREAMS)
async def nine_questions_about_documents_at_once(gateway: Gateway) -> str:
    """Shown two certificates, as a centre has that renews one: its calls count together."""
    first, second = gateway.world.certificates[PEER], gateway.world.authority.issue(PEER)
    both = Centre(PEER, (first.fingerprint, second.fingerprint))
    gateway.world.directory = gateway.world.directory.with_centre(both)
    await gateway.lookout.refresh()
    inside, go_on, upload = asyncio.Semaphore(0), asyncio.Event(), sql.upload

    async def look_slowly(*said: Any) -> sql.Upload | None:
        inside.release()
        await go_on.wait()
        return await upload(*said)

    with patch.object(sql, "upload", look_slowly):
        async with gateway.blobs(first) as one, gateway.blobs(second) as other:
            question = _question(gateway)
            running = [one.GetBlobOffset(question) for _ in range(_QUESTIONS_AT_ONCE)]
            for _ in running:
                await inside.acquire()
            reason = await refusal(other.GetBlobOffset(question))
            go_on.set()
            assert not any(answer.complete for answer in await asyncio.gather(*running))
    return reason


@_GROUP.case(Reason.RATE_EXCEEDED)
async def probes_of_a_centre_that_nobody_knows_without_end(gateway: Gateway) -> str:
    """Whoever has a certificate of the federation may ask how the gateway is."""
    async with gateway.channel(gateway.world.authority.issue("mars")) as channel:
        call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        return await _once_too_often(lambda: call(b""), allowed=800)


def _question(gateway: Gateway) -> blob_service_pb2.GetBlobOffsetRequest:
    return blob_service_pb2.GetBlobOffsetRequest(
        sender=gateway.world.offices["kiel"].id.bytes,
        recipient=gateway.world.offices["alpha"].id.bytes,
        digest=bytes(32),
    )


async def _once_too_often(ask: Callable[[], Awaitable[Any]], *, allowed: int) -> str:
    """Ask as often as a peer may at once, and once more; return why that was refused.

    To the gateway no time passes meanwhile: a slow machine asks too slowly to be refused.
    """
    wait = Bucket.wait

    async def reason() -> str:
        try:
            await ask()
        except grpc.aio.AioRpcError as error:
            return str(from_rpc_error(error).reason)
        return Answer.BORNE

    with patch.object(Bucket, "wait", lambda bucket, _: wait(bucket, bucket._filled_at)):
        before = {await reason() for _ in range(allowed)}
        assert Reason.RATE_EXCEEDED not in before
        return await reason()

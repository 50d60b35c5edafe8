"""Too much of something, or nothing at all: calls, streams, silence, a peer that does not read."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2_grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.gateway import blobs, calls, doorstep, sessions
from federation.links.endings import Truthful
from federation.protocol import limits
from federation.protocol.reasons import Reason
from tests.factories.certificates import Certificate
from tests.factories.letters import Centre
from tests.integration.federation.misuse.hands import (
    DELIVER,
    EXCHANGE,
    HELLO,
    NEIGHBOUR,
    PUT_BLOB,
    neighbour_delivers,
    refusal,
)
from tests.integration.federation.misuse.table import Answer, group
from tests.plugins.gateway import RECEIVER, Gateway, make_hello

ROOT: Final = Path(__file__).resolve().parents[4]
_GROUP = group("Floods and silence")

_THOUSAND: Final = 1000
#: What the gateway allows a centre at a time.
_STREAMS_OF_ONE: Final = 4
_CALLS_OF_ONE: Final = 8


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
            call: Any = channel.stream_unary(PUT_BLOB)()
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
        method: Any = channel.stream_unary(PUT_BLOB)
        open_ = [method() for _ in range(5)]
        for call in open_:
            # One may be refused before it has written all: its end says why.
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
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
async def thousand_hellos_at_once(gateway: Gateway) -> str:
    """On twenty connections; one is served, the others are told why not."""
    nord = gateway.world.certificates["nord"]
    hello = HELLO.SerializeToString()
    async with _crowd(gateway, 20 * [nord], times=50, first=hello, stay=1) as crowd:
        await neighbour_delivers(gateway, 20)
        reasons = await _told(crowd)
    assert set(reasons) <= {
        Reason.RATE_EXCEEDED,
        Reason.TOO_MANY_STREAMS,
        Reason.STREAM_SUPERSEDED,
    }
    return reasons.most_common(1)[0][0]


@_GROUP.case(Reason.RATE_EXCEEDED)
async def thousand_half_open_streams_of_one_centre(gateway: Gateway) -> str:
    """None says hello. Four are waited for, the others end at once."""
    nord = gateway.world.certificates["nord"]
    async with _crowd(gateway, 20 * [nord], times=50, stay=_STREAMS_OF_ONE) as crowd:
        await neighbour_delivers(gateway, 20)
        reasons = await _told(crowd)
    assert set(reasons) <= {Reason.RATE_EXCEEDED, Reason.TOO_MANY_STREAMS}
    return reasons.most_common(1)[0][0]


@_GROUP.case(Reason.HELLO_MISSING)
async def thousand_half_open_streams_of_many_centres(gateway: Gateway) -> str:
    """As many as each may have, all at the same time. The neighbour delivers beside them."""
    names = [f"centre-{number}" for number in range(_THOUSAND // _STREAMS_OF_ONE)]
    world = gateway.world
    certificates = {name: world.authority.issue(name) for name in names}
    centres = {name: Centre(name, (each.fingerprint,)) for name, each in certificates.items()}
    world.directory = replace(
        world.directory,
        version=world.directory.version + 1,
        centres={**world.directory.centres, **centres},
    )
    await gateway.lookout.refresh()
    before = len(asyncio.all_tasks())
    async with _crowd(gateway, certificates.values(), times=_STREAMS_OF_ONE) as crowd:
        # The gateway holds a task for each stream, and more.
        await _until(lambda: len(asyncio.all_tasks()) >= before + _THOUSAND)
        await neighbour_delivers(gateway, 20)
        assert crowd.returncode is None
        ((answer, number),) = (await _told(crowd)).items()
    assert number == _THOUSAND
    return answer


@_GROUP.case(Reason.TOO_MANY_STREAMS)
async def thousand_half_open_calls_of_one_centre(gateway: Gateway) -> str:
    """Single calls of which the request never comes; for others there is room all the while."""
    return await _half_open_calls(gateway, gateway.world.certificates["nord"])


@_GROUP.case(Reason.TOO_MANY_STREAMS)
async def thousand_half_open_calls_of_a_centre_that_nobody_knows(gateway: Gateway) -> str:
    return await _half_open_calls(gateway, gateway.world.authority.issue("mars"))


async def _half_open_calls(gateway: Gateway, certificate: Certificate) -> str:
    async with _crowd(
        gateway, 20 * [certificate], method=DELIVER, times=50, stay=_CALLS_OF_ONE
    ) as crowd:
        reasons = await _told(crowd)
        await neighbour_delivers(gateway, 20)
        neighbour = gateway.world.certificates[NEIGHBOUR]
        async with gateway.channel(neighbour) as channel:
            stub = link_service_pb2_grpc.LinkServiceStub(channel)
            await stub.GetPosition(pb.GetPositionRequest(hello=make_hello(NEIGHBOUR)))
    assert set(reasons) <= {Reason.RATE_EXCEEDED, Reason.TOO_MANY_STREAMS}
    return Reason.TOO_MANY_STREAMS if Reason.TOO_MANY_STREAMS in reasons else str(reasons)


@asynccontextmanager
async def _crowd(
    gateway: Gateway,
    certificates: Iterable[Certificate],
    *,
    times: int,
    method: str = EXCHANGE,
    first: bytes = b"",
    stay: int = 0,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Let another process call on a connection for each certificate, so many times on each.

    From ours, the callers would take the gateway its time: gRPC ends a call that nobody has begun
    to serve within thirty seconds, and without a reason.
    """
    told = {
        "address": gateway.address,
        "name": f"{RECEIVER}.centre.amtsbruecke.internal",
        "method": method,
        "times": times,
        "first": first.hex(),
        "stay": stay,
        "ca": gateway.world.authority.pem.decode(),
        "certificates": [
            {"key": each.key.decode(), "pem": each.pem.decode()} for each in certificates
        ],
    }
    crowd = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.federation.misuse.crowd",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert crowd.stdin is not None
    try:
        crowd.stdin.write(json.dumps(told).encode() + b"\n")
        await crowd.stdin.drain()
        yield crowd
    finally:
        if crowd.returncode is None:
            crowd.kill()
            await crowd.wait()


async def _told(crowd: asyncio.subprocess.Process) -> Counter[str]:
    """Return why the crowd's calls have ended, once no more than may stay are open."""
    assert crowd.stdout is not None
    return Counter(json.loads(await crowd.stdout.readline()))


@_GROUP.case(Reason.DEADLINE_EXCEEDED)
async def call_of_which_the_request_never_comes(gateway: Gateway) -> str:
    with patch.object(doorstep, "REQUEST_TIMEOUT_S", 0.1):
        async with gateway.channel() as channel:
            return await refusal(channel.stream_unary(DELIVER)())


@_GROUP.case(Reason.FRAME_MALFORMED)
async def call_that_ends_without_a_request(gateway: Gateway) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.stream_unary(DELIVER)()
        await call.done_writing()
        return await refusal(call)


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

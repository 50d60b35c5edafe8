"""What one peer, one connection and one stream may use of the gateway, and for how long."""

import asyncio
import ssl
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from federation.gateway import links, server
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.factories.letters import Centre
from tests.plugins.gateway import PEER, RECEIVER, Gateway, Stream, make_hello

_CALLS_OF_ONE = 8


class Held:
    """Calls that the gateway has let in and not answered yet."""

    def __init__(self) -> None:
        self._inside, self._go_on = asyncio.Semaphore(0), asyncio.Event()

    async def wait(self) -> None:
        self._inside.release()
        await self._go_on.wait()

    async def are(self, count: int) -> None:
        async with asyncio.timeout(30):
            for _ in range(count):
                await self._inside.acquire()

    def let_go(self) -> None:
        self._go_on.set()


@pytest.fixture
def held(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Held:
    held, greet = Held(), gateway.desk.greet

    async def hold(*said: Any) -> Any:
        await held.wait()
        return await greet(*said)

    monkeypatch.setattr(gateway.desk, "greet", hold)
    return held


def _ask(channel: grpc.aio.Channel, origin: str = PEER) -> Any:
    stub = link_service_pb2_grpc.LinkServiceStub(channel)
    return stub.GetPosition(pb.GetPositionRequest(hello=make_hello(origin)), timeout=30)


# -- one peer --------------------------------------------------------------------------------


async def test_single_calls_of_a_peer_are_bounded_whatever_certificate_it_shows(
    gateway: Gateway, held: Held
) -> None:
    """The doorstep counts by certificate, and a centre has two while it renews one."""
    first, second = gateway.world.certificates[PEER], gateway.world.authority.issue(PEER)
    centre = Centre(PEER, (first.fingerprint, second.fingerprint))
    await _publish(gateway, {**gateway.world.directory.centres, PEER: centre})
    async with gateway.channel(first) as one, gateway.channel(second) as other:
        running = [_ask(one) for _ in range(_CALLS_OF_ONE)]
        await held.are(_CALLS_OF_ONE)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ask(other)
        assert from_rpc_error(caught.value).reason is Reason.TOO_MANY_STREAMS
        held.let_go()
        answers = await asyncio.gather(*running)
        assert {each.welcome.receiver for each in answers} == {RECEIVER}
        await _ask(other)


async def _publish(gateway: Gateway, centres: dict[str, Centre]) -> None:
    known = gateway.world.directory
    gateway.world.directory = replace(known, version=known.version + 1, centres=centres)
    await gateway.lookout.refresh()


# -- one stream ------------------------------------------------------------------------------


async def test_old_stream_ends_for_another(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "STREAM_AGE_S", 0.5)
    for _ in range(2):
        async with gateway.stream() as stream:
            assert await _end(stream) is Reason.DRAINING


async def _end(stream: Stream) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(30):
            await stream.read_on()
    return Reason(from_rpc_error(caught.value).reason)


# -- one connection --------------------------------------------------------------------------

_MAX_STREAMS, _MAX_HEADERS = 3, 6


def _tls(gateway: Gateway, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=gateway.world.authority.pem.decode())
    mine = gateway.world.certificates[PEER]
    both = folder / "both.pem"
    both.write_bytes(mine.key + mine.pem)
    context.load_cert_chain(both)
    context.set_alpn_protocols(["h2"])
    return context


async def test_connection_is_told_how_much_it_may_open(gateway: Gateway, tmp_path: Path) -> None:
    """In HTTP/2 a server says first of all what it will bear."""
    host, port = gateway.address.split(":")
    reader, writer = await asyncio.open_connection(
        host,
        port,
        ssl=_tls(gateway, tmp_path),
        server_hostname=f"{RECEIVER}.centre.amtsbruecke.internal",
    )
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
    async with asyncio.timeout(30):
        head = await reader.readexactly(9)
        content = await reader.readexactly(int.from_bytes(head[:3]))
    assert head[3] == 4  # settings
    told = dict(struct.iter_unpack(">HI", content))
    assert told[_MAX_STREAMS] == 64
    assert told[_MAX_HEADERS] == 20 * 1024  # gRPC bears a quarter more than we allow
    writer.transport.abort()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def _lower(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    options = {name.removeprefix("grpc."): value for name, value in server._OPTIONS}
    assert set(limits) <= set(options)
    lowered = tuple((f"grpc.{name}", value) for name, value in {**options, **limits}.items())
    monkeypatch.setattr(server, "_OPTIONS", lowered)


@pytest.fixture
def _short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections, and after their grace also what runs on them, end soon."""
    _lower(monkeypatch, max_connection_age_ms=1000, max_connection_age_grace_ms=1000)


@pytest.mark.usefixtures("_short_lived")
async def test_connection_ends_by_age_and_takes_along_what_does_not_end(gateway: Gateway) -> None:
    async with gateway.stream() as stream:
        assert await _end(stream) is Reason.UNAVAILABLE
    async with gateway.stream():
        pass


def test_streams_end_before_their_connection() -> None:
    options = dict(server._OPTIONS)
    age, grace = (options[f"grpc.max_connection_age{each}_ms"] for each in ("", "_grace"))
    assert 0.9 * age > links.STREAM_AGE_S * 1000  # gRPC spreads the ages of connections by a tenth
    assert 0 < grace < age


# -- the whole gateway -----------------------------------------------------------------------


@pytest.fixture
def _room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MAX_CALLS", 3)


@pytest.mark.usefixtures("_room_for_three")
async def test_gateway_takes_so_many_calls_and_says_so_to_the_next(
    gateway: Gateway, held: Held
) -> None:
    neighbour = gateway.world.certificates["sachsen"]
    async with gateway.channel() as one, gateway.channel(neighbour) as other:
        running = [_ask(one) for _ in range(3)]
        await held.are(3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ask(other, "sachsen")
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.trailing_metadata() == grpc.aio.Metadata()  # none of ours was reached
        held.let_go()
        await asyncio.gather(*running)
        async with asyncio.timeout(30):  # a call ends here a moment later than for its caller
            while await _is_refused(_ask(other, "sachsen")):  # noqa: ASYNC110 -- a peer's view
                await asyncio.sleep(0.01)


async def _is_refused(call: Any) -> bool:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return True
    return False

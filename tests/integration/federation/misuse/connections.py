"""Below gRPC: what talks to the port without being a peer, and HTTP/2 that is no good."""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.protocol import limits
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.integration.federation.misuse.hands import (
    DELIVER,
    batch,
    honest,
    neighbour_delivers,
    refusal,
)
from tests.integration.federation.misuse.table import Answer, Misuse, group
from tests.plugins.gateway import PEER, RECEIVER, Gateway, make_hello

_GROUP = group("Below the protocol: TCP, TLS, HTTP/2")

#: So long a connection may stay open before we say that it is borne: where that is expected, and
#: where its end is, which a busy machine may delay.
_BORNE_S: Final = 5.0
_CLOSED_S: Final = 45.0
_IN_A_HURRY: Final = {Reason.DEADLINE_EXCEEDED, Reason.SEQUENCE_GAP, Reason.TOO_MANY_STREAMS}
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _CONTINUATION = 0, 1, 3, 4, 6, 9


async def _tcp(gateway: Gateway, content: bytes) -> str:
    """Send bytes as they are; return how the connection ends."""
    reader, writer = await asyncio.open_connection(*gateway.address.split(":"))
    with suppress(ConnectionError):
        writer.write(content)
        await writer.drain()
        async with asyncio.timeout(30):
            while await reader.read(65536):
                pass
    writer.close()
    return Answer.CLOSED


def _tls(gateway: Gateway, *, alpn: str | None = "h2", most: Any = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=gateway.world.authority.pem.decode())
    mine = gateway.world.certificates[PEER]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "both.pem"
        path.write_bytes(mine.key + mine.pem)
        context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols([alpn])
    if most:
        context.maximum_version = most
    return context


async def _secure(
    gateway: Gateway, content: bytes, *, patience: float = _CLOSED_S, **tls: Any
) -> str:
    """Shake hands as an honest peer, then send bytes; return how the connection ends."""
    host, port = gateway.address.split(":")
    name = f"{RECEIVER}.centre.amtsbruecke.internal"
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=_tls(gateway, **tls), server_hostname=name
        )
    except (ssl.SSLError, ConnectionError):
        return Answer.HANDSHAKE
    end = Answer.CLOSED
    with suppress(ConnectionError, ssl.SSLError):
        writer.write(content)
        await writer.drain()
        try:
            async with asyncio.timeout(patience):
                while await reader.read(65536):
                    pass
        except TimeoutError:
            end = Answer.BORNE
    writer.transport.abort()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    return end


def _frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


_HELLO: Final = _PREFACE + _frame(_SETTINGS)


def _raw(content: bytes) -> Misuse:
    async def misuse(gateway: Gateway) -> str:
        return await _tcp(gateway, content)

    return misuse


def _http2(content: bytes, *, patience: float = _CLOSED_S) -> Misuse:
    async def misuse(gateway: Gateway) -> str:
        return await _secure(gateway, content, patience=patience)

    return misuse


for _name, _content in {
    "garbage_instead_of_tls": b"\xff" * 100_000,
    "http_without_tls": b"GET / HTTP/1.1\r\nHost: krz\r\n\r\n",
    "http2_without_tls": _HELLO,
    "tls_record_that_never_was": b"\x16\x03\x01\xff\xff" + bytes(70_000),
}.items():
    _GROUP.add(_name, _raw(_content), Answer.CLOSED)

for _name, _content in {
    "http1_over_tls": b"GET / HTTP/1.1\r\nHost: krz\r\n\r\n",
    "garbage_over_tls": b"\xff" * 100_000,
    "preface_and_then_garbage": _HELLO + b"\xff" * 100_000,
    "frame_larger_than_http2_allows": _HELLO + _frame(_DATA, bytes(2**20), stream=1),
    "ping_of_a_wrong_size": _HELLO + _frame(_PING, b"x"),
    "settings_of_a_wrong_size": _PREFACE + _frame(_SETTINGS, b"12345"),
    "flood_of_pings": _HELLO + _frame(_PING, bytes(8)) * 50_000,
    "headers_that_are_no_headers": _HELLO + _frame(_HEADERS, b"\xff" * 50, flags=4, stream=1),
    "continuation_of_nothing": _HELLO + _frame(_CONTINUATION, b"x", stream=1),
}.items():
    _GROUP.add(_name, _http2(_content), Answer.CLOSED)

for _name, _content in {
    "data_on_a_stream_that_never_was": _HELLO + _frame(_DATA, b"x", stream=2),
    "headers_without_end": _HELLO
    + _frame(_HEADERS, b"\x00\x01a" + b"\x7f\xff\xff\x03" + bytes(100), stream=1)
    + _frame(_CONTINUATION, bytes(16_000), stream=1) * 500,
}.items():
    _GROUP.add(_name, _http2(_content, patience=_BORNE_S), Answer.BORNE)


@_GROUP.case(Answer.HANDSHAKE)
async def tls_of_yesterday(gateway: Gateway) -> str:
    return await _secure(gateway, _HELLO, most=ssl.TLSVersion.TLSv1_2)


@_GROUP.case(Answer.CLOSED)
async def tls_without_http2(gateway: Gateway) -> str:
    return await _secure(gateway, b"x", alpn="http/1.1")


@_GROUP.case(Answer.UNIMPLEMENTED)
async def reflection(gateway: Gateway) -> str:
    return await _call(gateway, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")


@_GROUP.case(Answer.UNIMPLEMENTED)
async def channelz(gateway: Gateway) -> str:
    return await _call(gateway, "/grpc.channelz.v1.Channelz/GetServers")


@_GROUP.case(Answer.UNIMPLEMENTED)
async def method_of_tomorrow(gateway: Gateway) -> str:
    return await _call(gateway, "/amtsbruecke.exchange.v1beta1.LinkService/Forward")


@_GROUP.case(Answer.UNIMPLEMENTED)
async def path_that_leads_upwards(gateway: Gateway) -> str:
    return await _call(gateway, "/../../etc/passwd")


async def _call(gateway: Gateway, method: str) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary(method)
        try:
            await call(b"", timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return Answer.UNIMPLEMENTED
            return str(error.code())
    return Answer.BORNE


@_GROUP.case(Answer.CUT)
async def metadata_larger_than_allowed(gateway: Gateway) -> str:
    return await _with_metadata(gateway, [("x-bomb", "x" * 256 * limits.KIB)])


@_GROUP.case(Answer.CUT)
async def metadata_of_ten_thousand_keys(gateway: Gateway) -> str:
    return await _with_metadata(gateway, [(f"x-{number}", "y") for number in range(10_000)])


async def _with_metadata(gateway: Gateway, metadata: list[tuple[str, str]]) -> str:
    request = pb.GetPositionRequest(hello=make_hello()).SerializeToString()
    async with gateway.channel(**{"grpc.max_metadata_size": 2**24}) as channel:
        method = "/amtsbruecke.exchange.v1beta1.LinkService/GetPosition"
        call: Any = channel.unary_unary(method)
        try:
            await call(request, metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            # Nothing of ours was reached.
            return "answered by us" if error.trailing_metadata() else Answer.CUT
    return Answer.BORNE


@_GROUP.case(Reason.RATE_EXCEEDED)
async def compression_bomb(gateway: Gateway) -> str:
    """Sixteen mebibytes of nothing, as few bytes on the wire: refused by the size it unfolds to."""
    request = pb.DeliverRequest(hello=make_hello(), batch=batch(1, bytes(16 * limits.MIB)).batch)
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary(DELIVER)
        return await refusal(
            call(request.SerializeToString(), compression=grpc.Compression.Gzip, timeout=30)
        )


@_GROUP.case(Answer.BORNE)
async def hundred_calls_that_have_no_time(gateway: Gateway) -> str:
    """A deadline of a millisecond, and a gap, so that nothing may come of those in time."""
    request = pb.DeliverRequest(hello=make_hello(), batch=batch(5, honest(gateway)).batch)
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary(DELIVER)
        for _ in range(100):
            try:
                await call(request.SerializeToString(), timeout=0.001)
            except grpc.aio.AioRpcError as error:
                reason = from_rpc_error(error).reason
                if reason not in _IN_A_HURRY:
                    return str(reason)
    return Answer.BORNE


@_GROUP.case(Answer.BORNE)
async def hundreds_of_connections_that_say_nothing(gateway: Gateway) -> str:
    """Half-open: a TCP connection each, and half of a handshake on every other."""
    host, port = gateway.address.split(":")
    sockets = []
    for number in range(400):
        connection = socket.create_connection((host, int(port)))
        if number % 2:
            connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        sockets.append(connection)
    await neighbour_delivers(gateway, 50)
    for connection in sockets:
        connection.close()
    return Answer.BORNE

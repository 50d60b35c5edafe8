"""Only TLS 1.3 is spoken, to the right name, and a renewed certificate is taken up."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1.link_service_pb2_grpc import LinkServiceStub

from centre.keys.sign import SigningKey
from federation.links import credentials
from federation.links.channels import Channels
from federation.links.errors import CredentialsUnreadable
from tests.factories.certificates import CertificateAuthority
from tests.fakes.receiver import FakeReceiver

AUTHORITY = CertificateAuthority()


@dataclass
class Listener:
    """A server that shakes hands and hangs up."""

    endpoint: str = ""
    #: The version of TLS of each handshake that succeeded.
    spoken: list[str] = field(default_factory=list)

    def greet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.spoken.append(writer.get_extra_info("ssl_object").version())
        writer.close()


@asynccontextmanager
async def listening(centre: str, newest: ssl.TLSVersion, tmp_path: Path) -> AsyncIterator[Listener]:
    folder = AUTHORITY.issue(centre).write(tmp_path / centre, AUTHORITY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "centre.pem", folder / "centre.key")
    context.maximum_version = newest
    context.set_alpn_protocols(["h2"])
    listener = Listener()
    server = await asyncio.start_server(listener.greet, "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    listener.endpoint = f"{host}:{port}"
    async with server:
        yield listener


async def dial(channels: Channels, centre: str, endpoint: str) -> None:
    """Try to connect once, and wait until that has failed: nobody speaks HTTP/2 there."""
    channel = await channels.channel(centre, endpoint)
    state = channel.get_state(try_to_connect=True)
    async with asyncio.timeout(10):
        while state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)


@pytest.fixture
async def channels(tmp_path: Path) -> AsyncIterator[Channels]:
    folder = AUTHORITY.issue("krz").write(tmp_path / "own", AUTHORITY)
    channels = Channels(folder)
    yield channels
    await channels.close()


@pytest.mark.parametrize(
    ("newest", "spoken"),
    [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, None)],
)
async def test_only_tls_1_3_is_spoken(
    channels: Channels, tmp_path: Path, newest: ssl.TLSVersion, spoken: str | None
) -> None:
    async with listening("nord", newest, tmp_path) as listener:
        await dial(channels, "nord", listener.endpoint)
    assert set(listener.spoken) == ({spoken} if spoken else set())


@pytest.mark.parametrize(("answers", "welcome"), [("nord", True), ("sachsen", False)])
async def test_only_the_centre_that_was_called_may_answer(
    channels: Channels, *, answers: str, welcome: bool
) -> None:
    receiver = FakeReceiver(name="nord", origin="krz", key=SigningKey.generate())
    async with receiver.serve(AUTHORITY.issue(answers), AUTHORITY) as endpoint:
        stub = LinkServiceStub(await channels.channel("nord", endpoint))
        call = stub.Exchange()
        try:
            await call.write(pb.ExchangeRequest(hello=pb.Hello(origin="krz", versions=[1])))
            answered = isinstance(await call.read(), pb.ExchangeResponse)
        except (grpc.RpcError, asyncio.InvalidStateError):
            answered = False
    assert answered is welcome
    assert bool(receiver.hellos) is welcome


def test_too_late_is_an_error() -> None:
    """A process that imported gRPC first would speak TLS 1.2: it must not start."""
    program = "import grpc\nimport federation"
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "TlsUnsafe" in done.stderr


async def test_channel_is_kept_until_endpoint_or_certificate_changes(
    channels: Channels, tmp_path: Path
) -> None:
    first = await channels.channel("nord", "127.0.0.1:9")
    assert await channels.channel("nord", "127.0.0.1:9") is first
    assert not channels.outdated("nord", "127.0.0.1:9")
    assert channels.outdated("nord", "127.0.0.1:10")

    AUTHORITY.issue("krz").write(tmp_path / "own", AUTHORITY)
    assert channels.outdated("nord", "127.0.0.1:9")
    second = await channels.channel("nord", "127.0.0.1:9")
    assert second is not first


async def test_half_written_renewal_changes_nothing(channels: Channels, tmp_path: Path) -> None:
    first = await channels.channel("nord", "127.0.0.1:9")
    (tmp_path / "own" / "centre.pem").write_bytes(b"-----BEGIN CERT")
    assert await channels.channel("nord", "127.0.0.1:9") is first


def test_missing_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnreadable, match=r"ca\.pem"):
        credentials.load(tmp_path)

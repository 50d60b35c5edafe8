"""Only TLS 1.3 is spoken, to the right name, and a renewed certificate is taken up."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1.link_service_pb2_grpc import (
    LinkServiceStub,
)

from centre.keys import pki
from centre.keys.sign import SigningKey
from federation.gateway.tls import ServerCertificates
from federation.links import credentials
from federation.links.channels import Channels, channel_options
from federation.links.errors import CredentialsUnreadable, LinkError, ServerUnknown, Unreached
from tests.factories.certificates import Certificate, CertificateAuthority
from tests.fakes.receiver import FakeReceiver

AUTHORITY = CertificateAuthority()


@dataclass
class Listener:
    """A server that shakes hands and hangs up."""

    endpoint: str = ""
    #: The version of TLS of each handshake that succeeded.
    spoken: list[str] = field(default_factory=list)
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)

    def greet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.spoken.append(writer.get_extra_info("ssl_object").version())
        self._ends.append(writer)
        writer.close()

    async def gone(self) -> None:
        """End what still waits for the other side's farewell."""
        for end in self._ends:
            end.transport.abort()
        await asyncio.gather(*(end.wait_closed() for end in self._ends), return_exceptions=True)


@asynccontextmanager
async def listening(centre: str, newest: ssl.TLSVersion, tmp_path: Path) -> AsyncIterator[Listener]:
    folder = AUTHORITY.issue(centre).write(tmp_path / centre, AUTHORITY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "centre.pem", folder / "centre.key")
    context.maximum_version = newest
    context.set_alpn_protocols(["h2"])
    listener = Listener()
    server = await asyncio.start_server(
        listener.greet, "127.0.0.1", 0, ssl=context, ssl_handshake_timeout=2
    )
    host, port = server.sockets[0].getsockname()
    listener.endpoint = f"{host}:{port}"
    async with server:
        yield listener
        await accepted()
    await listener.gone()


async def accepted() -> None:
    """Wait for connections that are being taken: a server that closes meanwhile leaves them open.

    asyncio has no word for them; they are tasks of its own.
    """
    own = [
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__name__", "") == "_accept_connection2"
    ]
    if own:
        await asyncio.wait(own)


async def dial(channels: Channels, folder: Path, centre: str, endpoint: str) -> None:
    """Try to connect once, and wait until that has failed: nobody speaks HTTP/2 there."""
    with suppress(LinkError):
        await channels.channel(centre, endpoint)
    channel = grpc.aio.secure_channel(
        endpoint, credentials.load(folder).for_channel(), options=channel_options(centre)
    )
    state = channel.get_state(try_to_connect=True)
    async with asyncio.timeout(10):
        while state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)
    await channel.close()


class Listed(defaultdict[str, list[str]]):
    """The fingerprints that the directory has for each centre."""

    def issue(self, centre: str) -> Certificate:
        """Return a new certificate, after it was entered."""
        certificate = AUTHORITY.issue(centre)
        self[centre].append(certificate.fingerprint)
        return certificate


@pytest.fixture
def listed() -> Listed:
    return Listed(list)


@pytest.fixture
async def channels(tmp_path: Path, listed: Listed) -> AsyncIterator[Channels]:
    folder = AUTHORITY.issue("krz").write(tmp_path / "own", AUTHORITY)
    channels = Channels(folder, listed=lambda centre: listed[centre])
    yield channels
    await channels.close()


def fake() -> FakeReceiver:
    return FakeReceiver(name="nord", origin="krz", key=SigningKey.generate())


async def greeted(channel: grpc.aio.Channel) -> bool:
    """Say hello and return whether a welcome came."""
    call = LinkServiceStub(channel).Exchange(timeout=10)
    try:
        await call.write(pb.ExchangeRequest(hello=pb.Hello(origin="krz", versions=[1])))
        return isinstance(await call.read(), pb.ExchangeResponse)
    except (grpc.RpcError, asyncio.InvalidStateError):
        return False
    finally:
        call.cancel()


@pytest.mark.parametrize(
    ("newest", "spoken"),
    [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, None)],
)
async def test_only_tls_1_3_is_spoken(
    channels: Channels, tmp_path: Path, newest: ssl.TLSVersion, spoken: str | None
) -> None:
    """Neither when we look at the server's certificate, nor by gRPC."""
    async with listening("nord", newest, tmp_path) as listener:
        await dial(channels, tmp_path / "own", "nord", listener.endpoint)
    assert set(listener.spoken) == ({spoken} if spoken else set())


def _of_nobody(listed: Listed) -> Certificate:
    certificate = AUTHORITY.issue("nord", uris=[])
    listed["nord"].append(certificate.fingerprint)
    return certificate


def _of_another_authority(listed: Listed) -> Certificate:
    certificate = CertificateAuthority().issue("nord")
    listed["nord"].append(certificate.fingerprint)
    return certificate


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        # Of the federation's authority, for the right centre, and not (or no longer) listed.
        (lambda _: AUTHORITY.issue("nord"), ServerUnknown),
        (lambda listed: listed.issue("sachsen"), Unreached),
        (_of_nobody, ServerUnknown),
        (_of_another_authority, Unreached),
    ],
    ids=["not listed", "another centre", "without the centre's URI", "another authority"],
)
async def test_only_a_listed_server_is_spoken_to(
    channels: Channels,
    listed: Listed,
    answers: Callable[[Listed], Certificate],
    error: type[LinkError],
) -> None:
    receiver = fake()
    listed.issue("nord")
    async with receiver.serve(answers(listed), AUTHORITY) as endpoint:
        with pytest.raises(error):
            await channels.channel("nord", endpoint)
    assert not receiver.hellos


async def test_channel_stays_with_the_server_that_was_looked_at(
    channels: Channels, listed: Listed
) -> None:
    """Also if another answers at the next connection; that one is looked at in its turn."""
    receiver = fake()
    async with receiver.serve(listed.issue("nord"), AUTHORITY) as endpoint:
        channel = await channels.channel("nord", endpoint)
        assert await greeted(channel)
    port = int(endpoint.rpartition(":")[2])
    receiver.hellos.clear()
    async with receiver.serve(AUTHORITY.issue("nord"), AUTHORITY, port=port):
        assert not await greeted(channel)
        await channels.drop("nord")
        with pytest.raises(ServerUnknown):
            await channels.channel("nord", endpoint)
        assert not receiver.hellos
    async with receiver.serve(listed.issue("nord"), AUTHORITY, port=port):
        assert await greeted(await channels.channel("nord", endpoint))


async def test_certificates_as_the_trial_authority_issues_them_fit(tmp_path: Path) -> None:
    pki.create_authority(tmp_path / "ca")
    pki.issue(tmp_path / "ca", "krz", tmp_path / "krz")
    theirs = pki.issue(tmp_path / "ca", "nord", tmp_path / "nord")
    server = grpc.aio.server()
    fake().join(server)
    port = server.add_secure_port(
        "127.0.0.1:0", ServerCertificates(tmp_path / "nord").credentials()
    )
    await server.start()
    channels = Channels(tmp_path / "krz", listed=lambda _: [theirs.fingerprint])
    try:
        assert await greeted(await channels.channel("nord", f"127.0.0.1:{port}"))
    finally:
        await channels.close()
        await server.stop(0)


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


async def test_channel_is_kept_until_something_about_it_changes(
    channels: Channels, listed: Listed, tmp_path: Path
) -> None:
    certificate = listed.issue("nord")
    async with fake().serve(certificate, AUTHORITY) as endpoint:
        first = await channels.channel("nord", endpoint)
        assert await channels.channel("nord", endpoint) is first
        assert not channels.outdated("nord", endpoint)
        assert channels.outdated("nord", "127.0.0.1:10")

        listed.issue("nord")
        assert not channels.outdated("nord", endpoint), "a renewal is announced"

        AUTHORITY.issue("krz").write(tmp_path / "own", AUTHORITY)
        assert channels.outdated("nord", endpoint)
        second = await channels.channel("nord", endpoint)
        assert second is not first

        listed["nord"].remove(certificate.fingerprint)
        assert channels.outdated("nord", endpoint)
        with pytest.raises(ServerUnknown):
            await channels.channel("nord", endpoint)


async def test_who_asks_at_the_same_time_gets_the_same_channel(
    channels: Channels, listed: Listed
) -> None:
    async with fake().serve(listed.issue("nord"), AUTHORITY) as endpoint:
        first, second = await asyncio.gather(
            channels.channel("nord", endpoint), channels.channel("nord", endpoint)
        )
    assert first is second


@pytest.mark.parametrize("part", ["centre.pem", "centre.key"])
async def test_half_a_renewal_changes_nothing(
    channels: Channels, listed: Listed, tmp_path: Path, part: str
) -> None:
    """Neither a file that is not whole, nor a certificate without its key."""
    own = tmp_path / "own"
    coming = AUTHORITY.issue("krz").write(tmp_path / "coming", AUTHORITY)
    async with fake().serve(listed.issue("nord"), AUTHORITY) as endpoint:
        first = await channels.channel("nord", endpoint)
        whole = (own / part).read_bytes()
        (own / part).write_bytes(whole[:20])
        assert await channels.channel("nord", endpoint) is first
        (own / part).write_bytes((coming / part).read_bytes())
        assert await channels.channel("nord", endpoint) is first


def test_missing_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnreadable, match=r"ca\.pem"):
        credentials.load(tmp_path)

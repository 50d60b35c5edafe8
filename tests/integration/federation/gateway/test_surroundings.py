"""What happens around the gateway: its database, its certificate, its address, a second one."""

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest

from centre.config.environment import Bind, Environment
from centre.kernel.pokes import Poke
from federation.gateway import process, sql
from federation.gateway.desk import Desk
from federation.gateway.errors import AddressOccupied
from federation.gateway.server import build, exchange
from federation.gateway.tls import ServerCertificates
from federation.gateway.view import Lookout, View
from federation.protocol.reasons import Reaction, Reason
from federation.wire.errors import Failure, from_rpc_error
from tests.factories.certificates import Certificate, CertificateAuthority
from tests.factories.letters import letter
from tests.plugins.gateway import RECEIVER, Gateway, Stream


def _letter(gateway: Gateway) -> bytes:
    return letter(gateway.world.offices["kiel"], gateway.world.offices["alpha"])


async def _failure(stream: Stream, lseq: int, item: bytes) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.deliver(lseq, item)
    return from_rpc_error(caught.value)


@contextmanager
def _broken(gateway: Gateway, code: str) -> Iterator[None]:
    """Let every letter that is stored fail with an error of PostgreSQL."""
    gateway.do(
        "CREATE FUNCTION public.break_it() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$;"
        " CREATE TRIGGER break_it BEFORE INSERT ON inbox_inboundmessage"
        " FOR EACH STATEMENT EXECUTE FUNCTION public.break_it()"
    )
    try:
        yield
    finally:
        gateway.do("DROP FUNCTION public.break_it() CASCADE")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("53100", id="disk full"),
        pytest.param("53300", id="too many connections"),
        pytest.param("57P01", id="shut down"),
        pytest.param("40P01", id="deadlock"),
        pytest.param("42703", id="column missing after half an upgrade"),
        pytest.param("23502", id="column that an old process does not fill"),
        pytest.param("P0001", id="trigger"),
    ],
)
async def test_disorder_of_the_database_accuses_no_letter(gateway: Gateway, code: str) -> None:
    item = _letter(gateway)
    with _broken(gateway, code):
        async with gateway.stream() as stream:
            failure = await _failure(stream, 1, item)
    assert (failure.reason, failure.reaction) == (Reason.UNAVAILABLE, Reaction.RETRY)
    assert failure.retry_delay
    assert gateway.stored() == []
    async with gateway.stream() as stream:
        assert (await stream.deliver(1, item)).exceptions == ()


async def test_connections_that_the_database_has_ended_are_replaced(gateway: Gateway) -> None:
    async with gateway.stream() as stream:
        await stream.deliver(1, _letter(gateway))
        with psycopg.connect(gateway.dsn("federation")) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = current_user AND datname = current_database()"
                "   AND pid <> pg_backend_pid()"
            )
    async with asyncio.timeout(20):
        while True:
            try:
                async with gateway.stream(acked_lseq=1, next_lseq=2) as stream:
                    await stream.deliver(2, _letter(gateway))
                break
            except grpc.aio.AioRpcError as error:
                assert from_rpc_error(error).reason is Reason.UNAVAILABLE  # noqa: PT017
    assert len(gateway.stored()) == 2


@asynccontextmanager
async def _second(gateway: Gateway, tls: Path) -> AsyncIterator[Gateway]:
    """Serve the same centre with another gateway: own server and desk, same database."""
    desk = Desk(
        centre=RECEIVER,
        pool=gateway.desk.pool,
        lookout=gateway.lookout,
        threads=gateway.desk._threads,
        worker=Poke(lambda: None, interval=1),
    )
    server, _ = build([exchange(desk)])
    port = server.add_secure_port("127.0.0.1:0", ServerCertificates(tls).credentials())
    await server.start()
    yield replace(gateway, desk=desk, address=f"127.0.0.1:{port}")
    await desk.drain()
    await server.stop(grace=1)


async def test_two_gateways_serve_one_link_and_nothing_is_doubled(
    gateway: Gateway, tmp_path: Path
) -> None:
    """A stream at each; whichever is behind ends, and its peer goes on where the other stands."""
    tls = gateway.world.certificates[RECEIVER].write(tmp_path / "second", gateway.world.authority)
    items = [_letter(gateway) for _ in range(3)]
    async with (
        _second(gateway, tls) as other,
        gateway.stream() as here,
        other.stream() as there,
    ):
        await here.deliver(1, items[0])
        failure = await _failure(there, 1, items[0])
        assert failure.reason is Reason.STREAM_SUPERSEDED
        async with other.stream(acked_lseq=1, next_lseq=2) as again:
            await again.deliver(2, items[1])
        failure = await _failure(here, 2, items[1])
        assert failure.reason is Reason.STREAM_SUPERSEDED
    assert [bytes(row["envelope"]) for row in gateway.stored()] == items[:2]
    assert gateway.position() == 2


async def test_a_new_certificate_is_shown_without_a_restart(
    gateway: Gateway, tmp_path: Path
) -> None:
    world = gateway.world
    tls = world.certificates[RECEIVER].write(tmp_path / "renewed", world.authority)
    async with _second(gateway, tls) as other, other.stream() as open_before:
        assert await _shown(other) == world.certificates[RECEIVER].fingerprint
        renewed = world.authority.issue(RECEIVER)
        renewed.write(tls, world.authority)
        assert await _shown(other) == renewed.fingerprint
        await open_before.deliver(1, _letter(gateway))


def _tls(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.pem.decode())
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    return context


async def _shown(gateway: Gateway) -> str:
    """Return the fingerprint of the certificate that a new connection is shown."""
    host, port = gateway.address.split(":")
    _, writer = await asyncio.open_connection(host, port, ssl=_tls(gateway.world.authority))
    tls: Any = writer.get_extra_info("ssl_object")
    shown = sha256(tls.getpeercert(binary_form=True)).hexdigest()
    writer.transport.abort()
    return shown


async def test_an_occupied_address_is_said_in_words(gateway: Gateway, tmp_path: Path) -> None:
    tls = gateway.world.certificates[RECEIVER].write(tmp_path / "tls2", gateway.world.authority)
    server, _ = build([])
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        environment = replace(Environment(), gateway_bind=Bind("127.0.0.1", port), tls_dir=tls)
        with pytest.raises(AddressOccupied) as caught:
            await process._listen(server, environment)
    assert f"127.0.0.1:{port}" in caught.value.message
    assert "AMTSBRUECKE_GATEWAY_BIND" in caught.value.message


_FRESH = """
import asyncio, sys
from pathlib import Path
from federation.gateway.server import build
from federation.gateway.tls import ServerCertificates
from federation.gateway.view import Lookout, View
async def main():
    server, _ = build([])
    credentials = ServerCertificates(Path(sys.argv[1])).credentials()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)
asyncio.run(main())
"""


def test_a_fresh_process_speaks_tls_1_3_and_nothing_older(
    gateway_tls: tuple[Path, CertificateAuthority],
) -> None:
    directory, authority = gateway_tls
    with subprocess.Popen(
        [sys.executable, "-c", _FRESH, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        spoken = {}
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = _tls(authority)
            context.maximum_version = version
            try:
                with (
                    socket.create_connection(("127.0.0.1", port)) as plain,
                    context.wrap_socket(plain) as secure,
                ):
                    spoken[version] = secure.version()
            except ssl.SSLError:
                spoken[version] = None
        server.communicate("")
    assert spoken == {ssl.TLSVersion.TLSv1_2: None, ssl.TLSVersion.TLSv1_3: "TLSv1.3"}


@pytest.fixture
def gateway_tls(
    certificates: tuple[CertificateAuthority, dict[str, Certificate]], tmp_path: Path
) -> tuple[Path, CertificateAuthority]:
    authority, issued = certificates
    return issued[RECEIVER].write(tmp_path / "tls", authority), authority


async def test_a_gateway_that_still_waits_for_its_database_can_be_stopped() -> None:
    stop, tried = asyncio.Event(), asyncio.Event()

    async def away(_: View | None) -> View:
        tried.set()
        raise OSError("the database is away")

    waiting = asyncio.create_task(Lookout(away, interval=3600).wait(stop))
    await tried.wait()
    stop.set()
    assert await asyncio.wait_for(waiting, 5) is False


@pytest.mark.parametrize("state", ["active", "suspended", "deleting", "deleted"])
async def test_who_is_hosted_here_is_known_by_its_state(gateway: Gateway, state: str) -> None:
    alpha = gateway.world.offices["alpha"].id
    gateway.do(f"UPDATE registry_municipality SET state = '{state}' WHERE authority_id = '{alpha}'")
    async with gateway.desk.pool.connection() as connection:
        host = (await sql.hosts(connection))[alpha]
    assert (host.active, host.deleted) == (state == "active", state == "deleted")

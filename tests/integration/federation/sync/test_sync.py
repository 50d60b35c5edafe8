"""The directory over real gRPC: in parts, with limits, from the umbrella or from a mirror."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from amtsbruecke.directory.v1beta1 import directory_service_pb2 as pb
from amtsbruecke.directory.v1beta1 import directory_service_pb2_grpc as pb_grpc
from django.conf import settings as django_settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from centre.directory import encoding, selectors, services
from centre.directory.errors import SnapshotInvalid
from centre.directory.interface import Directory
from centre.directory.records import ACTIVE, SUSPENDED, CentreRecord, Snapshot
from centre.kernel import clock
from centre.kernel.actors import system
from centre.keys import pki
from centre.keys.sign import SigningKey
from federation.links import credentials
from federation.protocol.reasons import Reason
from federation.sync import client, servicer
from federation.sync import services as sync
from federation.sync.client import FetchFailed, Source
from federation.wire.errors import from_rpc_error

UMBRELLA = SigningKey.generate()
BY = system("tests")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    pki.create_authority(folder / "ca")
    for centre in ("kdn", "krz"):
        pki.issue(folder / "ca", centre, folder / centre)
    return folder


class _Handed(pb_grpc.DirectoryServiceServicer):
    """Answers with whatever the test puts in: a hostile or broken mirror."""

    def __init__(self, answers: list[pb.GetSnapshotResponse]) -> None:
        self.answers = answers

    async def GetSnapshot(  # noqa: N802 -- the name of the RPC
        self, _request: Any, _context: Any
    ) -> pb.GetSnapshotResponse:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(folder: Path, register: Callable[[grpc.aio.Server], Any]) -> Iterator[str]:
    """Serve in a thread with a loop of its own, so that the client may block."""
    started: Future[tuple[str, Callable[[], None]]] = Future()

    async def serve() -> None:
        server = grpc.aio.server()
        closing = register(server)
        credentials = grpc.ssl_server_credentials(
            [((folder / "centre.key").read_bytes(), (folder / "centre.pem").read_bytes())],
            (folder / "ca.pem").read_bytes(),
            require_client_auth=True,
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        started.set_result((f"127.0.0.1:{port}", lambda: loop.call_soon_threadsafe(end.set)))
        await end.wait()
        await server.stop(0)
        if closing is not None:
            await closing.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    address, end = started.result(timeout=20)
    try:
        yield address
    finally:
        end()
        thread.join(20)


@pytest.fixture(autouse=True)
def _fresh(committed_db: None, settings: Any, certificates: Path) -> Iterator[None]:
    settings.DIRECTORY_CHECK_SECONDS = 0
    settings.AMTSBRUECKE = replace(
        django_settings.AMTSBRUECKE,
        centre="krz",
        umbrella_keys=(UMBRELLA.verify_key.raw,),
        tls_dir=certificates / "krz",
    )
    selectors.forget()
    yield
    selectors.forget()


def signed_snapshot(version: int, size: int = 0, endpoint: str = "127.0.0.1:1") -> bytes:
    now = clock.now()
    centre = CentreRecord(id="kdn", name="x" * size, endpoint=endpoint)
    made = Snapshot(
        version=version, published_at=now, expires_at=now + timedelta(days=7), centres=(centre,)
    )
    return encoding.sign_snapshot(made, by=UMBRELLA)


def store(dsn: Callable[[str], str], version: int, signed: bytes) -> None:
    with psycopg.connect(dsn("owner")) as connection:
        connection.execute(
            "INSERT INTO directory_directorysnapshot VALUES (%s, %s, %s, now(), now(), now())",
            [version, signed, encoding.digest(signed)],
        )


def from_database(dsn: Callable[[str], str]) -> Callable[[grpc.aio.Server], Any]:
    """Return what lets a server hand out the snapshots that the test database keeps."""

    def register(server: grpc.aio.Server) -> Any:
        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            dsn("federation"), open=False, min_size=1
        )
        asyncio.get_running_loop().create_task(pool.open())
        servicer.register(server, pool)
        return pool

    return register


@pytest.mark.process("worker")
def test_a_large_directory_arrives_in_parts_and_is_applied_once(
    dsn: Callable[[str], str], certificates: Path, settings: Any
) -> None:
    signed = signed_snapshot(7, size=5 * 1024 * 1024)

    def register(server: grpc.aio.Server) -> Any:
        class One:
            """A pool of the umbrella, which keeps version 7 only."""

            @staticmethod
            def connection(**_options: float) -> Any:
                raise AssertionError

        made = servicer.DirectoryServicer(One())  # type: ignore[arg-type]

        async def snapshot(wanted: int) -> tuple[int, bytes]:
            return 7, signed

        made._snapshot = snapshot  # type: ignore[method-assign]
        pb_grpc.add_DirectoryServiceServicer_to_server(made, server)

    with serving(certificates / "kdn", register) as address:
        settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, umbrella_endpoint=address)
        assert sync.fetch_directory(by=BY) == 7
        assert sync.fetch_directory(by=BY) == 7
    assert selectors.current().digest == encoding.digest(signed)


def test_served_from_the_database_to_a_client_with_a_certificate(
    dsn: Callable[[str], str], certificates: Path
) -> None:
    signed = signed_snapshot(3)
    store(dsn, 3, signed)

    with serving(certificates / "kdn", from_database(dsn)) as address:
        source = Source(address)
        assert client.fetch(source, tls_directory=certificates / "krz", known_version=0) == signed
        assert client.fetch(source, tls_directory=certificates / "krz", known_version=3) is None
        named = Source(address, "kdn")
        assert client.fetch(named, tls_directory=certificates / "krz", known_version=2) == signed
        with pytest.raises(FetchFailed, match="UNAVAILABLE"):
            client.fetch(
                Source(address, "nord"), tls_directory=certificates / "krz", known_version=0
            )


def test_what_is_not_kept_and_what_lies_beyond_the_end_are_refused_by_name(
    dsn: Callable[[str], str], certificates: Path
) -> None:
    signed = signed_snapshot(3)
    trust = credentials.load(certificates / "krz").for_channel()
    with (
        serving(certificates / "kdn", from_database(dsn)) as address,
        grpc.secure_channel(address, trust) as channel,
    ):
        stub = pb_grpc.DirectoryServiceStub(channel)

        def refused(**request: int) -> Reason | str:
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetSnapshot(pb.GetSnapshotRequest(**request), timeout=20)
            return from_rpc_error(caught.value).reason

        assert refused() is Reason.SNAPSHOT_UNKNOWN
        store(dsn, 3, signed)
        assert refused(version=2) is Reason.SNAPSHOT_UNKNOWN
        assert refused(version=3, offset=len(signed)) is Reason.OFFSET_WRONG
        last = pb.GetSnapshotRequest(version=3, offset=len(signed) - 1)
        assert stub.GetSnapshot(last, timeout=20).data == signed[-1:]


def response(version: int, size: int, data: bytes) -> pb.GetSnapshotResponse:
    return pb.GetSnapshotResponse(version=version, size=size, data=data)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([response(1, 1 << 40, b"x")], "larger than"),
        ([response(1, 100, b"x" * 10), response(1, 100, b"")], "before its end"),
        ([response(1, 100, b"x" * 10), response(1, 50, b"x" * 10)], "before its end"),
        ([response(1, 10, b"x" * 100)], "longer"),
    ],
)
def test_a_mirror_that_lies_about_the_size_is_refused(
    certificates: Path, answers: list[pb.GetSnapshotResponse], problem: str
) -> None:
    def register(server: grpc.aio.Server) -> None:
        pb_grpc.add_DirectoryServiceServicer_to_server(_Handed(answers), server)

    with (
        serving(certificates / "kdn", register) as address,
        pytest.raises(FetchFailed, match=problem),
    ):
        client.fetch(Source(address), tls_directory=certificates / "krz", known_version=0)


@pytest.mark.process("worker")
def test_garbage_from_the_umbrella_changes_nothing_and_a_mirror_heals(
    dsn: Callable[[str], str], certificates: Path, settings: Any
) -> None:
    good = signed_snapshot(9)

    def garbage(server: grpc.aio.Server) -> None:
        answer = response(8, 50, b"\xff" * 50)
        pb_grpc.add_DirectoryServiceServicer_to_server(_Handed([answer]), server)

    def mirror(server: grpc.aio.Server) -> None:
        pb_grpc.add_DirectoryServiceServicer_to_server(
            _Handed([response(9, len(good), good)]), server
        )

    with (
        serving(certificates / "kdn", garbage) as umbrella,
        serving(certificates / "kdn", mirror) as peer,
    ):
        settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, umbrella_endpoint=umbrella)
        with pytest.raises(SnapshotInvalid):
            sync.fetch_directory(by=BY)
        services.apply(signed=signed_snapshot(2, endpoint=peer), by=BY)
        assert sync.fetch_directory(by=BY) == 9


@pytest.mark.process("worker")
def test_an_umbrella_that_is_away_leaves_the_last_version_in_force(settings: Any) -> None:
    services.apply(signed=signed_snapshot(4), by=BY)
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, umbrella_endpoint="127.0.0.1:1")
    with pytest.raises(FetchFailed):
        sync.fetch_directory(by=BY)
    assert selectors.current().version == 4


@pytest.mark.process("worker")
def test_neither_suspended_centres_nor_we_ourselves_are_asked(settings: Any) -> None:
    umbrella = "127.0.0.1:1"
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, umbrella_endpoint=umbrella)
    ours = settings.AMTSBRUECKE.centre
    now = clock.now()
    centres = tuple(
        CentreRecord(id=name, name=name, endpoint=f"127.0.0.1:{port}", state=state)
        for name, port, state in ((ours, 2, ACTIVE), ("nord", 3, SUSPENDED), ("sachsen", 4, ACTIVE))
    )
    snapshot = Snapshot(version=1, published_at=now, expires_at=now, centres=centres)
    known = Directory(snapshot, digest="")
    assert list(sync._sources(known)) == [Source(umbrella), Source("127.0.0.1:4", "sachsen")]
    assert list(sync._sources(None)) == [Source(umbrella)]


def test_a_stranger_without_a_federation_certificate_gets_nothing(
    certificates: Path, tmp_path: Path
) -> None:
    pki.create_authority(tmp_path / "other")
    pki.issue(tmp_path / "other", "krz", tmp_path / "krz")
    (tmp_path / "krz" / "ca.pem").write_bytes((certificates / "krz" / "ca.pem").read_bytes())

    def register(server: grpc.aio.Server) -> None:
        answer = response(1, 1, b"x")
        pb_grpc.add_DirectoryServiceServicer_to_server(_Handed([answer]), server)

    with serving(certificates / "kdn", register) as address:
        with pytest.raises(FetchFailed, match="UNAVAILABLE"):
            client.fetch(Source(address), tls_directory=tmp_path / "krz", known_version=0)
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
            pb_grpc.DirectoryServiceStub(channel).GetSnapshot(pb.GetSnapshotRequest(), timeout=5)

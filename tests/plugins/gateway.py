"""A gateway in the test's process: real gRPC, TLS, PostgreSQL; the directory is a small one."""

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import psycopg
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2_grpc, link_service_pb2_grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from centre.kernel.pokes import Poke
from centre.keys.sign import SigningKey
from centre.registry.models import Municipality
from federation.blobs.files import Files
from federation.gateway.desk import Desk
from federation.gateway.server import build, exchange
from federation.gateway.tls import ServerCertificates
from federation.gateway.view import Lookout, View
from federation.inbox.admission import Host
from federation.links.endings import Truthful
from federation.protocol.receipts import ReceiptBody, SignedReceipt
from federation.wire.receipt import from_message, verify_receipt
from tests.factories.certificates import Certificate, CertificateAuthority
from tests.factories.letters import Centre, Office, SmallDirectory

RECEIVER = "krz"
PEER = "nord"


@dataclass
class World:
    """Who exists: this centre with alpha, beta and gamma, and peers with offices of their own."""

    authority: CertificateAuthority
    certificates: dict[str, Certificate]
    directory: SmallDirectory
    hosts: dict[Any, Host]
    #: By a short name: alpha and beta live here, kiel and luebeck at nord, dresden at sachsen.
    offices: dict[str, Office]
    receipt_key: SigningKey = field(default_factory=SigningKey.generate)


@dataclass
class Gateway:
    """The running gateway, seen from outside."""

    world: World
    desk: Desk
    lookout: Lookout
    address: str
    dsn: Callable[[str], str]
    pokes: SimpleQueue[str]
    documents: Files | None = None

    @asynccontextmanager
    async def channel(
        self, certificate: Certificate | None = None, **options: Any
    ) -> AsyncIterator[grpc.aio.Channel]:
        certificate = certificate or self.world.certificates[PEER]
        credentials = grpc.ssl_channel_credentials(
            self.world.authority.pem, certificate.key, certificate.pem
        )
        arguments = {
            "grpc.ssl_target_name_override": f"{RECEIVER}.centre.amtsbruecke.internal",
            "grpc.max_send_message_length": -1,
            **options,
        }
        async with grpc.aio.secure_channel(
            self.address, credentials, options=list(arguments.items())
        ) as channel:
            yield channel

    @asynccontextmanager
    async def stream(
        self, certificate: Certificate | None = None, origin: str = PEER, **hello: Any
    ) -> AsyncIterator["Stream"]:
        """Open a stream and say hello; the welcome has been read."""
        async with self.channel(certificate) as channel:
            # The gateway may end the call while we still write, and gRPC would lose its reason.
            call = Truthful(link_service_pb2_grpc.LinkServiceStub(channel).Exchange())
            stream = Stream(self, call)
            await stream.write(pb.ExchangeRequest(hello=make_hello(origin, **hello)))
            stream.welcome = (await stream.read()).welcome
            yield stream
            stream.call.cancel()

    @asynccontextmanager
    async def blobs(
        self, certificate: Certificate | None = None
    ) -> "AsyncIterator[blob_service_pb2_grpc.BlobServiceAsyncStub]":
        async with self.channel(certificate) as channel:
            yield blob_service_pb2_grpc.BlobServiceStub(channel)

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Ask the database, as its owner."""
        with psycopg.connect(self.dsn("owner"), row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def do(self, statement: str) -> None:
        """Change the database, as its owner."""
        with psycopg.connect(self.dsn("owner")) as connection:
            connection.execute(statement)

    def stored(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM inbox_inboundmessage ORDER BY lseq")

    def sealed(self, tenant_role: str, digest: bytes) -> bytes:
        """Return what is stored of a document, wherever it lies."""
        (blob,) = self.rows(
            "SELECT * FROM blobs_blob WHERE tenant_role = %s AND digest = %s", tenant_role, digest
        )
        chunks = self.rows(
            "SELECT data FROM blobs_blobchunk WHERE blob_id = %s ORDER BY number", blob["id"]
        )
        if not blob["in_file"]:
            return b"".join(chunk["data"] for chunk in chunks)
        assert chunks == []
        assert self.documents is not None
        path = self.documents.path(tenant_role, blob["id"])
        return path.read_bytes() if path.exists() else b""

    def alarms(self) -> list[str]:
        return [row["code"] for row in self.rows("SELECT code FROM outbox_alarm ORDER BY id")]

    def position(self, link: str = PEER) -> int:
        rows = self.rows("SELECT in_lseq FROM inbox_inboundlink WHERE link = %s", link)
        return int(rows[0]["in_lseq"]) if rows else 0


class Stream:
    """The sender's end of an `Exchange` stream."""

    def __init__(self, gateway: Gateway, call: Any) -> None:
        self._gateway = gateway
        self.call = call
        self.welcome = pb.Welcome()
        self.granted: list[pb.Credit] = []

    async def write(self, request: pb.ExchangeRequest) -> None:
        await self.call.write(request)

    async def read(self) -> pb.ExchangeResponse:
        response = await self.call.read()
        if response is grpc.aio.EOF:
            raise EndOfStreamError
        assert isinstance(response, pb.ExchangeResponse)
        return response

    async def read_on(self) -> None:
        """Read and forget, until the stream ends."""
        while True:
            await self.read()

    async def send(self, first_lseq: int, *items: bytes) -> None:
        await self.write(pb.ExchangeRequest(batch=pb.Batch(first_lseq=first_lseq, items=items)))

    async def receipt(self) -> ReceiptBody:
        """Return the next receipt, verified; credits on the way are kept in `granted`."""
        return (await self.signed_receipt())[1]

    async def signed_receipt(self) -> tuple[SignedReceipt, ReceiptBody]:
        """Return the next receipt as it was signed, and what it says."""
        while (response := await self.read()).WhichOneof("frame") != "receipt":
            self.granted.append(response.credit)
        signed = from_message(response.receipt)
        key = self._gateway.world.receipt_key.verify_key
        return signed, verify_receipt(signed, key=key)

    async def deliver(self, first_lseq: int, *items: bytes) -> ReceiptBody:
        await self.send(first_lseq, *items)
        return await self.receipt()


class EndOfStreamError(Exception):
    """The gateway has ended the stream without an error."""


def make_hello(origin: str = PEER, **changes: Any) -> pb.Hello:
    fields: dict[str, Any] = {"versions": [1], "acked_lseq": 0, "next_lseq": 1}
    return pb.Hello(origin=origin, **{**fields, **changes})


@pytest.fixture(scope="session")
def certificates() -> tuple[CertificateAuthority, dict[str, Certificate]]:
    authority = CertificateAuthority()
    return authority, {name: authority.issue(name) for name in (RECEIVER, PEER, "sachsen")}


@pytest.fixture
def world(
    certificates: tuple[CertificateAuthority, dict[str, Certificate]],
    alpha: Municipality,
    beta: Municipality,
) -> World:
    authority, issued = certificates
    offices = {
        "alpha": Office(RECEIVER, id=alpha.authority_id),
        "beta": Office(RECEIVER, id=beta.authority_id),
        "kiel": Office(PEER),
        "luebeck": Office(PEER),
        "dresden": Office("sachsen"),
    }
    centres = {
        name: Centre(name, (certificate.fingerprint,)) for name, certificate in issued.items()
    }
    return World(
        authority=authority,
        certificates=dict(issued),
        directory=SmallDirectory(1, centres, {each.id: each for each in offices.values()}),
        hosts={
            alpha.authority_id: Host(alpha.tenant_role, active=True),
            beta.authority_id: Host(beta.tenant_role, active=True),
        },
        offices=offices,
    )


@pytest.fixture
async def gateway(
    committed_db: None,
    world: World,
    dsn: Callable[[str], str],
    documents: Files | None,
    tmp_path: Path,
) -> AsyncIterator[Gateway]:
    async def look(_: View | None) -> View:
        return View(directory=world.directory, hosts=world.hosts, key=world.receipt_key)

    pokes: SimpleQueue[str] = SimpleQueue()
    lookout = Lookout(look, interval=3600)
    await lookout.refresh()
    tls = world.certificates[RECEIVER].write(tmp_path / "tls", world.authority)
    with ThreadPoolExecutor(2) as threads:
        async with AsyncConnectionPool(
            dsn("federation"), min_size=1, max_size=8, kwargs={"autocommit": True}, open=False
        ) as pool:
            worker = Poke(lambda: pokes.put("poke"), interval=0.0)
            desk = Desk(
                centre=RECEIVER,
                pool=pool,
                lookout=lookout,
                threads=threads,
                worker=worker,
                documents=documents,
            )
            server, _ = build([exchange(desk)])
            port = server.add_secure_port("127.0.0.1:0", ServerCertificates(tls).credentials())
            await server.start()
            yield Gateway(world, desk, lookout, f"127.0.0.1:{port}", dsn, pokes, documents)
            await desk.drain()
            await server.stop(grace=1)

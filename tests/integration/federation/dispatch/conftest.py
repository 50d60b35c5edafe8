"""A dispatch in the test's process, its letters, and the gateway at the other end.

The road is the loopback: the centre `krz` sends to its own gateway, over real gRPC and TLS and
through one database, from alpha to beta.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings

from centre.config.environment import Environment, Process
from centre.directory.interface import Directory
from centre.directory.records import CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.registry.models import Municipality
from federation.dispatch import metrics
from federation.dispatch.process import Dispatch
from federation.wire.envelope import read_outer
from tests.factories.letters import letter
from tests.fakes.receiver import FakeReceiver
from tests.plugins.gateway import PEER, RECEIVER, Gateway

#: Where nobody listens.
NOWHERE = "127.0.0.1:9"


async def eventually[T](look: Callable[[], T], *, seconds: float = 20) -> T:
    """Return what `look` finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while not (found := await asyncio.to_thread(look)):  # noqa: ASYNC110 -- other processes
            await asyncio.sleep(0.02)
        return found


@dataclass
class Road:
    """The sending side, seen from outside."""

    gateway: Gateway
    alpha: Municipality
    beta: Municipality
    tls: Path
    centres: dict[str, CentreRecord] = field(default_factory=dict)
    version: int = 1
    told: list[int] = field(default_factory=list)
    #: When the keys are valid that sign receipts.
    keys_begin: datetime = field(default_factory=lambda: clock.now() - timedelta(days=1))
    keys_end: datetime = field(default_factory=lambda: clock.in_future(days=30))

    # -- letters -----------------------------------------------------------------------------

    def post(self, count: int = 1, *, link: str = RECEIVER, **changes: Any) -> list[UUID]:
        """Queue genuine letters from alpha to beta."""
        offices = self.gateway.world.offices
        return self.queue(
            (letter(offices["alpha"], offices["beta"], **changes) for _ in range(count)), link=link
        )

    def queue(
        self,
        items: Iterable[bytes],
        *,
        link: str = RECEIVER,
        role: str | None = None,
        expires_at: datetime | None = None,
    ) -> list[UUID]:
        """Queue items as they are, as if alpha had posted them."""
        ids = []
        with psycopg.connect(self.gateway.dsn("owner")) as connection:
            for item in items:
                envelope = read_outer(item).read()
                ids.append(envelope.message_id)
                connection.execute(
                    "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id,"
                    " case_sequence, kind, size, envelope, digest, expires_at, accepted_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now())",
                    (
                        envelope.message_id,
                        role or self.alpha.tenant_role,
                        link,
                        envelope.recipient,
                        envelope.case_id,
                        envelope.case_sequence,
                        envelope.kind.value,
                        len(item),
                        item,
                        sha256(item).digest(),
                        expires_at or envelope.expires_at,
                    ),
                )
            connection.execute("SELECT pg_notify('amtsbruecke_dispatch', %s)", (link,))
        return ids

    def do(self, statement: str, *parameters: Any) -> None:
        """Change the database, as its owner."""
        with psycopg.connect(self.gateway.dsn("owner")) as connection:
            connection.execute(statement, parameters)

    # -- what can be seen --------------------------------------------------------------------

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        return self.gateway.rows(statement, *parameters)

    def link(self, name: str = RECEIVER) -> dict[str, Any]:
        found = self.rows("SELECT * FROM outbox_link WHERE name = %s", name)
        nothing = {"acked_lseq": 0, "failing_since": None, "last_error": ""}
        return found[0] if found else nothing

    async def acknowledged(self, count: int, *, link: str = RECEIVER, seconds: float = 20) -> None:
        """Wait for receipts over so many positions."""
        await eventually(lambda: self.link(link)["acked_lseq"] >= count, seconds=seconds)

    def connected(self, link: str) -> bool:
        """Return whether a dispatch of this process has a stream to the link's peer."""
        return bool(metrics.connected.labels(link)._value.get())

    def dead(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM outbox_deadletter ORDER BY id")

    # -- the directory -----------------------------------------------------------------------

    def know(
        self,
        name: str,
        endpoint: str,
        state: str = "active",
        *,
        fingerprints: tuple[str, ...] | None = None,
    ) -> None:
        """Put a centre into the directory that dispatch reads."""
        key = self.gateway.world.receipt_key.verify_key
        self.centres[name] = CentreRecord(
            id=name,
            name=name,
            endpoint=endpoint,
            state=state,
            fingerprints=fingerprints
            if fingerprints is not None
            else (self.gateway.world.certificates[name].fingerprint,),
            keys=(
                PublicKey(
                    kid=key.kid,
                    purpose="sign",
                    suite="Ed25519",
                    raw=key.raw,
                    not_before=self.keys_begin,
                    not_after=self.keys_end,
                ),
            ),
        )
        self.version += 1

    def forget(self, name: str) -> None:
        """Take a centre out of the directory."""
        del self.centres[name]
        self.version += 1

    async def load(self, _: Any, known: Directory | None) -> Directory:
        if known is not None and known.version == self.version:
            return known
        snapshot = Snapshot(
            version=self.version,
            published_at=clock.now(),
            expires_at=clock.in_future(days=1),
            centres=tuple(self.centres.values()),
        )
        return Directory(snapshot, digest=str(self.version))

    # -- the process -------------------------------------------------------------------------

    @asynccontextmanager
    async def dispatch(self) -> AsyncIterator[Dispatch]:
        """Run a dispatch within the block and let it drain at the end."""
        environment = replace(
            Environment(),
            centre=RECEIVER,
            process=Process.FEDERATION,
            database_urls={Process.FEDERATION: self.gateway.dsn("federation")},
            tls_dir=self.tls,
            documents=settings.AMTSBRUECKE.documents,
        )
        dispatch = Dispatch(
            environment=environment,
            load_directory=self.load,
            wake_worker=lambda: self.told.append(1),
        )
        task = asyncio.create_task(dispatch.run())
        try:
            yield dispatch
        finally:
            dispatch.stop()
            await task


@pytest.fixture
def road(gateway: Gateway, alpha: Municipality, beta: Municipality, tmp_path: Path) -> Road:
    world = gateway.world
    tls = world.certificates[RECEIVER].write(tmp_path / "dispatch", world.authority)
    road = Road(gateway, alpha, beta, tls)
    road.know(RECEIVER, gateway.address)
    return road


@pytest.fixture
def receiver(road: Road) -> FakeReceiver:
    return FakeReceiver(name=PEER, origin=RECEIVER, key=road.gateway.world.receipt_key)


@asynccontextmanager
async def serving(road: Road, receiver: FakeReceiver) -> AsyncIterator[None]:
    """Let the directory lead to the receiver within the block."""
    world = road.gateway.world
    async with receiver.serve(world.certificates[PEER], world.authority) as address:
        road.know(PEER, address)
        yield

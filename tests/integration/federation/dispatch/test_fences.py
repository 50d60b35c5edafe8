"""Who has lost a link to another owner writes nothing about it any more."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from psycopg import AsyncConnection

from centre.kernel import clock
from federation.dispatch import sql
from federation.dispatch.errors import FenceLost
from federation.dispatch.isolation import Suspicion
from federation.dispatch.queue import Queue
from federation.dispatch.sql import Connection, Lease, ReceivedReceipt, Refused
from tests.integration.federation.dispatch.conftest import Road
from tests.plugins.gateway import PEER

OWNER = Lease(PEER, "new", 7)
STALE = replace(OWNER, owner="old", fence=6)
RECEIPT = ReceivedReceipt(
    first_lseq=1,
    last_lseq=1,
    body=b"body",
    body_hash=sha256(b"body").digest(),
    signature=bytes(64),
    kid="0" * 16,
    leaves=bytes(32),
    issued_at=clock.now(),
)


@pytest.fixture
async def connection(road: Road) -> AsyncIterator[Connection]:
    road.do(
        "INSERT INTO outbox_link (name, owner, fence, lease_until)"
        " VALUES (%s, 'new', 7, now() + interval '5 s')",
        PEER,
    )
    async with await AsyncConnection.connect(
        road.gateway.dsn("federation"), autocommit=True
    ) as opened:
        yield opened


async def _acknowledge(connection: Connection, lease: Lease) -> None:
    await sql.acknowledge(connection, lease, [RECEIPT], before=0, refused=[], suspicion=Suspicion())


async def _refuse(connection: Connection, lease: Lease) -> None:
    ((identifier,),) = await (
        await connection.execute("SELECT id FROM outbox_letter WHERE link = %s", (PEER,))
    ).fetchall()
    refused = [Refused(identifier, "EXPIRED", expired=True)]
    await sql.acknowledge(
        connection, lease, [RECEIPT], before=0, refused=refused, suspicion=Suspicion()
    )


async def _park(connection: Connection, lease: Lease) -> None:
    ((identifier,),) = await (
        await connection.execute("SELECT id FROM outbox_letter WHERE link = %s", (PEER,))
    ).fetchall()
    await sql.park(connection, lease, Refused(identifier, "KILLS_CALLS"), suspicion=Suspicion())


async def _fail(connection: Connection, lease: Lease) -> None:
    await sql.note_failure(
        connection,
        lease,
        code="UNAVAILABLE",
        detail="",
        started_at=clock.now(),
        ended_at=clock.now(),
        under_way=None,
        wait_ms=1000,
        backoff_ms=1000,
        suspicion=Suspicion(),
    )


def _picture(road: Road) -> list[list[dict[str, Any]]]:
    tables = ("link", "letter", "receipt", "deadletter", "attempt")
    return [road.rows(f"SELECT * FROM outbox_{table}") for table in tables]


@pytest.mark.parametrize("write", [_acknowledge, _refuse, _park, _fail])
async def test_a_former_owner_writes_nothing(
    road: Road, connection: Connection, write: Callable[[Connection, Lease], Awaitable[None]]
) -> None:
    road.post(1, link=PEER)
    before = _picture(road)
    with pytest.raises(FenceLost):
        await write(connection, STALE)
    assert _picture(road) == before
    await write(connection, OWNER)
    assert _picture(road) != before


async def test_a_receipt_that_does_not_follow_the_stored_position_is_not_stored(
    road: Road, connection: Connection
) -> None:
    await _acknowledge(connection, OWNER)
    before = _picture(road)
    with pytest.raises(FenceLost):
        await _acknowledge(connection, OWNER)
    assert _picture(road) == before


async def test_a_former_owner_numbers_prolongs_and_releases_nothing(
    road: Road, connection: Connection
) -> None:
    road.post(1, link=PEER)
    before = _picture(road)
    numbered = await Queue(STALE).number(connection, most=5, bytes_=1_000_000)
    assert (numbered.next_lseq, list(numbered.letters)) == (None, [])
    assert await sql.renew_leases(connection, [STALE], ttl=5) == set()
    await sql.release_leases(connection, [STALE])
    await sql.note_welcome(connection, STALE, max_signed_together=64)
    assert _picture(road) == before
    assert await sql.renew_leases(connection, [OWNER], ttl=5) == {PEER}
    numbered = await Queue(OWNER).number(connection, most=5, bytes_=1_000_000)
    assert (numbered.next_lseq, len(numbered.letters)) == (2, 1)

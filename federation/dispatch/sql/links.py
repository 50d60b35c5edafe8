"""Links: leases and fences, back-off, and what an operator should see.

The database's clock may jump. A time that lies further ahead than anybody ever sets one was set by
a clock that was fast, and counts as over: nobody waits an hour for a process that is dead.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from centre.kernel.ids import new_id
from federation.dispatch.errors import FenceLost
from federation.dispatch.isolation import Suspicion
from federation.dispatch.sql.types import Connection, Figures, Lease, LinkRow
from federation.protocol import backoff
from federation.protocol.limits import MAX_SIGNED_TOGETHER

_LONGEST_WAIT_S = backoff.LONGEST_MS / 1000
#: So old a contact gets before it is noted again.
_CONTACT_S = 30


async def ensure_links(connection: Connection, names: Sequence[str]) -> None:
    """Begin the links that do not exist yet."""
    await connection.execute(
        "INSERT INTO outbox_link (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
        (list(names),),
    )


_LINK = (
    "SELECT name, state = 'active', next_lseq, acked_lseq, receipt_hash, fence, coalesce("
    "       greatest(extract(epoch FROM next_try_at - clock_timestamp()), 0), 0)::float8,"
    "       backoff_ms, suspect_lseq, suspect_kills, frame_limit FROM outbox_link"
)
_LINKS = f"{_LINK} WHERE name = ANY(%s)"


async def links(connection: Connection, names: Sequence[str]) -> dict[str, LinkRow]:
    """Return links by name."""
    cursor = await connection.execute(_LINKS, (list(names),))
    return {row[0]: _link(row) for row in await cursor.fetchall()}


def _link(row: Sequence[Any]) -> LinkRow:
    name, active, next_lseq, acked, receipt_hash, fence, wait, backoff_ms, *suspicion = row
    return LinkRow(
        name=name,
        active=active,
        next_lseq=next_lseq,
        acked_lseq=acked,
        receipt_hash=receipt_hash,
        fence=fence,
        wait=wait if wait <= _LONGEST_WAIT_S else 0.0,
        backoff_ms=backoff_ms,
        suspicion=Suspicion(*suspicion),
    )


async def link(connection: Connection, name: str) -> LinkRow:
    """Return a link."""
    found = await links(connection, [name])
    if name not in found:
        raise LookupError(f"there is no link {name!r}")
    return found[name]


async def show_life(connection: Connection, owner: str, *, ttl: float) -> int:
    """Note that this process lives for `ttl` more seconds; return how many processes do."""
    await connection.execute(
        "INSERT INTO outbox_dispatcher (name, alive_until)"
        " VALUES (%(owner)s, clock_timestamp() + make_interval(secs => %(ttl)s))"
        " ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until",
        {"owner": owner, "ttl": ttl},
    )
    cursor = await connection.execute(
        "SELECT count(*) FROM outbox_dispatcher WHERE alive_until"
        " BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => 2 * %s)",
        (ttl,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 1


async def show_end(connection: Connection, owner: str) -> None:
    """Note that this process ends, and clear away those that never could."""
    await connection.execute(
        "DELETE FROM outbox_dispatcher"
        " WHERE name = %s OR alive_until NOT BETWEEN"
        "   clock_timestamp() - interval '1 day' AND clock_timestamp() + interval '1 day'",
        (owner,),
    )


async def renew_leases(connection: Connection, leases: Sequence[Lease], *, ttl: float) -> set[str]:
    """Prolong leases; return the links that are still ours."""
    cursor = await connection.execute(
        "UPDATE outbox_link AS link"
        " SET lease_until = clock_timestamp() + make_interval(secs => %s)"
        " FROM unnest(%s::text[], %s::bigint[]) AS held (name, fence)"
        " WHERE link.name = held.name AND link.fence = held.fence RETURNING link.name",
        (ttl, [each.link for each in leases], [each.fence for each in leases]),
    )
    return {row[0] async for row in cursor}


async def take_leases(
    connection: Connection, owner: str, *, names: Sequence[str], most: int, ttl: float
) -> list[Lease]:
    """Take up to `most` of the named links that nobody works on."""
    cursor = await connection.execute(
        "UPDATE outbox_link AS link SET owner = %(owner)s, fence = link.fence + 1,"
        " lease_until = clock_timestamp() + make_interval(secs => %(ttl)s)"
        " FROM (SELECT name FROM outbox_link WHERE name = ANY(%(names)s)"
        "        AND (lease_until IS NULL OR lease_until NOT BETWEEN clock_timestamp()"
        "             AND clock_timestamp() + make_interval(secs => 2 * %(ttl)s))"
        "        ORDER BY name LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS free"
        " WHERE link.name = free.name RETURNING link.name, link.fence",
        {"owner": owner, "names": list(names), "most": most, "ttl": ttl},
    )
    return [Lease(row[0], owner, row[1]) async for row in cursor]


async def release_leases(connection: Connection, leases: Sequence[Lease]) -> None:
    """Give links back, so that another process need not wait for the leases to end."""
    await connection.execute(
        "UPDATE outbox_link AS link SET owner = '', lease_until = NULL"
        " FROM unnest(%s::text[], %s::bigint[]) AS held (name, fence)"
        " WHERE link.name = held.name AND link.fence = held.fence",
        ([each.link for each in leases], [each.fence for each in leases]),
    )


async def note_welcome(connection: Connection, lease: Lease, *, max_signed_together: int) -> None:
    """Note that the peer has welcomed us, and what letters it takes."""
    await connection.execute(
        "UPDATE outbox_link SET last_contact_at = clock_timestamp(), max_signed_together = %s"
        " WHERE name = %s AND fence = %s",
        (min(max_signed_together, MAX_SIGNED_TOGETHER), lease.link, lease.fence),
    )


async def renew_contacts(connection: Connection, leases: Sequence[Lease]) -> None:
    """Note for links with an open stream that the peer is still there, each now and then."""
    await connection.execute(
        "UPDATE outbox_link AS link SET last_contact_at = clock_timestamp()"
        " FROM unnest(%s::text[], %s::bigint[]) AS open (name, fence)"
        " WHERE link.name = open.name AND link.fence = open.fence"
        "   AND link.last_contact_at < clock_timestamp() - make_interval(secs => %s)",
        ([each.link for each in leases], [each.fence for each in leases], _CONTACT_S),
    )


async def note_failure(
    connection: Connection,
    lease: Lease,
    *,
    code: str,
    detail: str,
    started_at: datetime,
    ended_at: datetime,
    under_way: tuple[int, int] | None,
    wait_ms: int,
    backoff_ms: int,
    suspicion: Suspicion,
) -> None:
    """Keep a failed call and the back-off that follows from it, in a transaction."""
    first, last = under_way or (None, None)
    async with connection.transaction():
        await keep_suspicion(connection, lease, suspicion)
        await connection.execute(
            "UPDATE outbox_link SET failing_since = coalesce(failing_since, clock_timestamp()),"
            " next_try_at = clock_timestamp() + make_interval(secs => %s / 1000.0),"
            " backoff_ms = %s, last_error = %s, last_error_detail = %s"
            " WHERE name = %s AND fence = %s",
            (wait_ms, backoff_ms, code, detail, lease.link, lease.fence),
        )
        await connection.execute(
            "INSERT INTO outbox_attempt"
            " (id, link, started_at, ended_at, first_lseq, last_lseq, code, detail)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (new_id(), lease.link, started_at, ended_at, first, last, code, detail),
        )


async def keep_suspicion(connection: Connection, lease: Lease, suspicion: Suspicion) -> None:
    cursor = await connection.execute(
        "UPDATE outbox_link SET suspect_lseq = %s, suspect_kills = %s, frame_limit = %s"
        " WHERE name = %s AND fence = %s",
        (suspicion.last, suspicion.kills, suspicion.frame_limit, lease.link, lease.fence),
    )
    if cursor.rowcount != 1:
        raise FenceLost(lease.link)


async def retry_now(connection: Connection, names: Sequence[str]) -> None:
    """End the back-off of links: the directory has news about their centres."""
    await connection.execute(
        "UPDATE outbox_link SET next_try_at = NULL, backoff_ms = 0"
        " WHERE name = ANY(%s) AND next_try_at IS NOT NULL",
        (list(names),),
    )


async def figures(connection: Connection, links: Sequence[str], *, most: int) -> list[Figures]:
    """Count backlogs up to `most`, and tell the age of the oldest letter on each link."""
    cursor = await connection.execute(
        "SELECT peer.name, peer.next_lseq - 1 - peer.acked_lseq + waiting.count,"
        "       coalesce(extract(epoch FROM clock_timestamp() - least(waiting.oldest,"
        "                                                         under_way.oldest)), 0)::float8,"
        "       dead.count"
        "  FROM outbox_link AS peer"
        "  CROSS JOIN LATERAL (SELECT count(*), min(first.accepted_at) AS oldest FROM"
        "    (SELECT accepted_at FROM outbox_letter WHERE link = peer.name AND lseq IS NULL"
        "      LIMIT %s) AS first) AS waiting"
        "  CROSS JOIN LATERAL (SELECT min(accepted_at) AS oldest FROM outbox_letter"
        "    WHERE link = peer.name AND lseq > peer.acked_lseq AND lseq > 0) AS under_way"
        "  CROSS JOIN LATERAL (SELECT count(*) FROM outbox_deadletter"
        "    WHERE link = peer.name AND resolution = '') AS dead"
        " WHERE peer.name = ANY(%s)",
        (most, list(links)),
    )
    return [Figures(*row) async for row in cursor]

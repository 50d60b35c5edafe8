"""Letters on their way out: numbered and read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from federation.dispatch.frames import Item
from federation.dispatch.sql.types import Connection, Lease, Letter
from federation.protocol import backoff
from federation.protocol.receipts import Sent

# Rows are picked in turns, one per tenant and turn, so that nobody's import delays a neighbour's
# single letter. The tenants that have letters are found by hopping over the index. From each no
# more rows are read than twice its fair share: with many tenants, most would be read in vain. Where
# that gives less than the peer could bear, the next look finds the others.
#
# The link's row is written first and only if there is something to number: whoever else moves
# letters in or out of the queue does not lock it, so a picked letter can vanish before it is
# numbered. Its number then stays empty, which the protocol allows.
#
# `coalesce(lseq, -1) = -1` says "not numbered" in words that fit no index of the queue: what was
# picked is found by its key, whatever the planner believes about how little waits.
_NUMBER = """
WITH RECURSIVE tenants AS (
    (SELECT tenant_role FROM outbox_letter
      WHERE link = %(link)s AND lseq IS NULL AND NOT held
      ORDER BY tenant_role LIMIT 1)
    UNION ALL
    SELECT (SELECT letter.tenant_role FROM outbox_letter AS letter
             WHERE letter.link = %(link)s AND letter.lseq IS NULL AND NOT letter.held
               AND letter.tenant_role > tenants.tenant_role
             ORDER BY letter.tenant_role LIMIT 1)
      FROM tenants WHERE tenants.tenant_role IS NOT NULL
), share AS (
    SELECT least(%(most)s, greatest(8, 2 * %(most)s / greatest(count(tenant_role), 1))) AS most
      FROM tenants
), turns AS (
    SELECT letter.id, letter.size, letter.turn, tenants.tenant_role
      FROM tenants, LATERAL (
           SELECT id, size, row_number() OVER (ORDER BY id) AS turn FROM outbox_letter
            WHERE link = %(link)s AND lseq IS NULL AND NOT held
              AND tenant_role = tenants.tenant_role
            ORDER BY id LIMIT (SELECT most FROM share)) AS letter
     WHERE tenants.tenant_role IS NOT NULL
     ORDER BY letter.turn, tenants.tenant_role LIMIT %(most)s
), ranked AS (
    SELECT id, row_number() OVER line AS rank, sum(size) OVER line AS total
      FROM turns WINDOW line AS (ORDER BY turn, tenant_role)
), picked AS MATERIALIZED (
    SELECT id, rank FROM ranked WHERE total <= %(bytes)s OR rank = 1
), moved AS (
    UPDATE outbox_link
       SET next_lseq = next_lseq + (SELECT count(*) FROM picked)
     WHERE name = %(link)s AND fence = %(fence)s AND EXISTS (SELECT FROM picked)
 RETURNING next_lseq
), numbered AS (
    UPDATE outbox_letter AS letter
       SET lseq = moved.next_lseq - (SELECT count(*) FROM picked) + picked.rank - 1
      FROM picked, moved
     WHERE letter.id = picked.id AND coalesce(letter.lseq, -1) = -1 AND NOT letter.held
 RETURNING letter.lseq, letter.id, letter.digest, letter.size, letter.envelope
)
SELECT moved.next_lseq, numbered.* FROM moved LEFT JOIN numbered ON true ORDER BY numbered.lseq
"""


async def number(
    connection: Connection, lease: Lease, *, most: int, bytes_: int
) -> tuple[int | None, list[Letter]]:
    """Number up to `most` waiting letters of at most `bytes_` together, fairly over tenants.

    Returns the link's next number, or None if nothing was numbered, and the letters by number. The
    first letter is taken whatever its size.
    """
    cursor = await connection.execute(
        _NUMBER,
        {"link": lease.link, "fence": lease.fence, "most": most, "bytes": bytes_},
        binary=True,
    )
    rows = await cursor.fetchall()
    if not rows:
        return None, []
    letters = [_letter(row[1:]) for row in rows if row[1] is not None]
    return rows[0][0], letters


def _item(lseq: int, message_id: UUID, digest: bytes, size: int) -> Item:
    return Item(lseq, Sent(message_id, digest), size)


def _letter(row: Sequence[Any]) -> Letter:
    *item, envelope = row
    return Letter(_item(*item), envelope)


async def positions(connection: Connection, link: str, *, after: int) -> dict[int, Item]:
    """Return what lies at the positions after `after` that have a letter, without the bytes."""
    cursor = await connection.execute(
        "SELECT lseq, id, digest, size FROM outbox_letter"
        # The second says which index: no planner knows that `after` is never negative.
        " WHERE link = %s AND lseq > %s AND lseq > 0",
        (link, after),
        binary=True,
    )
    return {row[0]: _item(*row) for row in await cursor.fetchall()}


async def envelopes(
    connection: Connection, link: str, *, first: int, last: int
) -> dict[int, Letter]:
    """Return the letters at positions `first` to `last`; a position without one is missing."""
    cursor = await connection.execute(
        "SELECT lseq, id, digest, size, envelope FROM outbox_letter"
        " WHERE link = %s AND lseq BETWEEN %s AND %s AND lseq > 0",
        (link, first, last),
        binary=True,
    )
    return {row[0]: _letter(row) for row in await cursor.fetchall()}


async def dead_positions(
    connection: Connection, link: str, *, first: int, last: int
) -> dict[int, Item]:
    """Return the letters that once stood at positions which are void now."""
    cursor = await connection.execute(
        "SELECT dead.lseq, letter.id, letter.digest, letter.size"
        " FROM outbox_deadletter AS dead"
        " JOIN outbox_letter AS letter ON letter.id = dead.message_id"
        " WHERE dead.link = %s AND dead.lseq BETWEEN %s AND %s",
        (link, first, last),
        binary=True,
    )
    return {row[0]: _item(*row) for row in await cursor.fetchall()}


async def links_with_work(connection: Connection, links: Sequence[str]) -> set[str]:
    """Return those of the links that have letters without number or numbers without receipt."""
    cursor = await connection.execute(
        "SELECT peer.name FROM outbox_link AS peer WHERE peer.name = ANY(%s)"
        "   AND (peer.next_lseq > peer.acked_lseq + 1"
        "        OR EXISTS (SELECT FROM outbox_letter AS letter"
        "             WHERE letter.link = peer.name AND letter.lseq IS NULL AND NOT letter.held))",
        (list(links),),
    )
    return {row[0] async for row in cursor}


async def links_unsettled(connection: Connection) -> set[str]:
    """Return all links with letters that have neither a receipt nor died."""
    cursor = await connection.execute(
        "SELECT peer.name FROM outbox_link AS peer"
        " WHERE EXISTS (SELECT FROM outbox_letter AS letter"
        "               WHERE letter.link = peer.name AND letter.lseq IS NULL)"
        "    OR EXISTS (SELECT FROM outbox_letter AS letter"
        "               WHERE letter.link = peer.name AND letter.lseq > peer.acked_lseq"
        "                 AND letter.lseq > 0"
        "                 AND NOT EXISTS (SELECT FROM outbox_deadletter AS dead"
        "                       WHERE dead.message_id = letter.id AND dead.resolution = ''))"
    )
    return {row[0] async for row in cursor}


async def links_waiting(
    connection: Connection, links: Sequence[str]
) -> list[tuple[str, bool, bool]]:
    """Return the links that may send now: whether letters wait there, whether documents do."""
    cursor = await connection.execute(
        "SELECT peer.name,"
        "       EXISTS (SELECT FROM outbox_letter AS letter"
        "        WHERE letter.link = peer.name AND letter.lseq IS NULL AND NOT letter.held),"
        "       EXISTS (SELECT FROM outbox_upload AS upload"
        "        WHERE upload.link = peer.name AND upload.done_at IS NULL)"
        "  FROM outbox_link AS peer WHERE peer.name = ANY(%s) AND peer.state = 'active'"
        # Further ahead than any back-off: see `links`.
        "   AND (peer.next_try_at IS NULL OR peer.next_try_at NOT BETWEEN clock_timestamp()"
        "        AND clock_timestamp() + make_interval(secs => %s))",
        (list(links), backoff.LONGEST_MS / 1000),
    )
    return await cursor.fetchall()


async def release_deferred(connection: Connection, links: Sequence[str]) -> None:
    """Put letters back into the queue whose time of waiting is over and whose documents are there.

    Others the end of their last upload puts there.
    """
    await connection.execute(
        "UPDATE outbox_letter AS letter SET held = false, not_before = NULL"
        " WHERE link = ANY(%s) AND lseq IS NULL AND held AND not_before <= statement_timestamp()"
        "   AND NOT EXISTS (SELECT FROM outbox_upload"
        "                    WHERE message_id = letter.id AND done_at IS NULL)",
        (list(links),),
    )

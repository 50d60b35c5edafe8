"""Letters on their way out, read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from federation.dispatch.frames import Item
from federation.dispatch.sql.types import Connection, Letter
from federation.protocol import backoff
from federation.protocol.receipts import Sent

# Not EXISTS: the planner would read all that waits anywhere into a hash table, at each look, to
# learn about one link. And the first in order, not any: where many letters seem to qualify, it
# would look for one in no order at all, and of an idle link read all that were ever sent.
_WAITS: Final = """
       coalesce((SELECT true FROM outbox_letter AS letter
                  WHERE letter.link = peer.name AND letter.lseq IS NULL AND NOT letter.held
                  ORDER BY letter.tenant_role, letter.id LIMIT 1), false)
"""
WITH_WORK: Final = f"""
SELECT peer.name FROM outbox_link AS peer
 WHERE peer.name = ANY(%s) AND (peer.next_lseq > peer.acked_lseq + 1 OR {_WAITS})
"""  # noqa: S608 -- made of the part above, and of nothing that anybody says
UNSETTLED: Final = """
SELECT peer.name FROM outbox_link AS peer
 WHERE coalesce((SELECT true FROM outbox_letter AS letter
                  WHERE letter.link = peer.name AND letter.lseq IS NULL
                  ORDER BY letter.expires_at LIMIT 1),
                (SELECT true FROM outbox_letter AS letter
                  WHERE letter.link = peer.name AND letter.lseq > peer.acked_lseq
                    AND letter.lseq > 0
                    AND NOT EXISTS (SELECT FROM outbox_deadletter AS dead
                          WHERE dead.message_id = letter.id AND dead.resolution = '')
                  ORDER BY letter.lseq LIMIT 1), false)
"""
# Further ahead than any back-off: see `links`.
WAITING: Final = f"""
SELECT peer.name, {_WAITS},
       coalesce((SELECT true FROM outbox_upload AS upload
                  WHERE upload.link = peer.name AND upload.done_at IS NULL LIMIT 1), false)
  FROM outbox_link AS peer WHERE peer.name = ANY(%s) AND peer.state = 'active'
   AND (peer.next_try_at IS NULL OR peer.next_try_at NOT BETWEEN clock_timestamp()
        AND clock_timestamp() + make_interval(secs => %s))
"""  # noqa: S608 -- as above


def to_item(lseq: int, message_id: UUID, digest: bytes, size: int) -> Item:
    return Item(lseq, Sent(message_id, digest), size)


def to_letter(row: Sequence[Any]) -> Letter:
    *item, envelope = row
    return Letter(to_item(*item), envelope)


async def positions(connection: Connection, link: str, *, after: int) -> dict[int, Item]:
    """Return what lies at the positions after `after` that have a letter, without the bytes."""
    cursor = await connection.execute(
        "SELECT lseq, id, digest, size FROM outbox_letter"
        # The second says which index: no planner knows that `after` is never negative.
        " WHERE link = %s AND lseq > %s AND lseq > 0",
        (link, after),
        binary=True,
    )
    return {row[0]: to_item(*row) for row in await cursor.fetchall()}


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
    return {row[0]: to_letter(row) for row in await cursor.fetchall()}


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
    return {row[0]: to_item(*row) for row in await cursor.fetchall()}


async def newest_posted(
    connection: Connection, link: str, *, first: int, last: int
) -> datetime | None:
    """Return when the newest letter at these positions was posted; None where there is none."""
    cursor = await connection.execute(
        "SELECT max(accepted_at) FROM outbox_letter"
        " WHERE link = %s AND lseq BETWEEN %s AND %s AND lseq > 0",
        (link, first, last),
    )
    ((posted_at,),) = await cursor.fetchall()
    found: datetime | None = posted_at
    return found


async def links_with_work(connection: Connection, links: Sequence[str]) -> set[str]:
    """Return those of the links that have letters without number or numbers without receipt."""
    cursor = await connection.execute(WITH_WORK, (list(links),))
    return {row[0] async for row in cursor}


async def links_unsettled(connection: Connection) -> set[str]:
    """Return all links with letters that have neither a receipt nor died."""
    cursor = await connection.execute(UNSETTLED)
    return {row[0] async for row in cursor}


async def links_waiting(
    connection: Connection, links: Sequence[str]
) -> list[tuple[str, bool, bool]]:
    """Return the links that may send now: whether letters wait there, whether documents do."""
    cursor = await connection.execute(WAITING, (list(links), backoff.LONGEST_MS / 1000))
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

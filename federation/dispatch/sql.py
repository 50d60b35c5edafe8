"""All SQL of dispatch. No ORM: a connection that carries a tenant has no place in asyncio.

Every function runs on an autocommit connection of the login role `federation`; each is one
statement, or says that it opens a transaction. What moves a link names the fence of its caller:
if another process has become the owner, nothing is written and `FenceLost` is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from centre.kernel.ids import new_id
from federation.dispatch.errors import FenceLost
from federation.dispatch.frames import Item
from federation.dispatch.isolation import Suspicion
from federation.protocol.receipts import Sent

type Connection = AsyncConnection[TupleRow]

CHANNEL = "amtsbruecke_dispatch"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a link, until another process gets a higher fence."""

    link: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as it stands in the database."""

    name: str
    active: bool
    next_lseq: int
    acked_lseq: int
    receipt_hash: bytes
    fence: int
    #: Seconds until the next try is due, by the database's clock; 0 if it is due.
    wait: float
    backoff_ms: int
    suspicion: Suspicion


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter about to travel."""

    item: Item
    envelope: bytes


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """A verified receipt about to be stored."""

    first_lseq: int
    last_lseq: int
    body: bytes
    body_hash: bytes
    signature: bytes
    kid: str
    leaves: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that the peer has signed not to take; `retry_ms`: when to send it again."""

    message_id: UUID
    reason: str
    retry_ms: int | None = None
    expired: bool = False


# -- links and leases ------------------------------------------------------------------------


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
    return {row[0]: LinkRow(*row[:-3], Suspicion(*row[-3:])) for row in await cursor.fetchall()}


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
        "SELECT count(*) FROM outbox_dispatcher WHERE alive_until > clock_timestamp()"
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 1


async def show_end(connection: Connection, owner: str) -> None:
    """Note that this process ends, and clear away those that never could."""
    await connection.execute(
        "DELETE FROM outbox_dispatcher"
        " WHERE name = %s OR alive_until < clock_timestamp() - interval '1 day'",
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
        "        AND (lease_until IS NULL OR lease_until < clock_timestamp())"
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


# -- letters ---------------------------------------------------------------------------------

# Rows are picked in turns, one per tenant and turn, so that nobody's import delays a neighbour's
# single letter. The tenants that have letters are found by hopping over the index.
#
# The link's row is written first and only if there is something to number: whoever else moves
# letters in or out of the queue does not lock it, so a picked letter can vanish before it is
# numbered. Its number then stays empty, which the protocol allows.
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
), turns AS (
    SELECT letter.id, letter.size, letter.turn, tenants.tenant_role
      FROM tenants, LATERAL (
           SELECT id, size, row_number() OVER (ORDER BY id) AS turn FROM outbox_letter
            WHERE link = %(link)s AND lseq IS NULL AND NOT held
              AND tenant_role = tenants.tenant_role
            ORDER BY id LIMIT %(most)s) AS letter
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
     WHERE letter.id = picked.id AND letter.lseq IS NULL AND NOT letter.held
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
        "SELECT lseq, id, digest, size FROM outbox_letter WHERE link = %s AND lseq > %s",
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
        " WHERE link = %s AND lseq BETWEEN %s AND %s",
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


async def links_waiting(connection: Connection, links: Sequence[str]) -> set[str]:
    """Return those of the links that have letters without number and may send them now."""
    cursor = await connection.execute(
        "SELECT peer.name FROM outbox_link AS peer"
        " WHERE peer.name = ANY(%s) AND peer.state = 'active'"
        "   AND (peer.next_try_at IS NULL OR peer.next_try_at <= clock_timestamp())"
        "   AND EXISTS (SELECT FROM outbox_letter AS letter"
        "        WHERE letter.link = peer.name AND letter.lseq IS NULL AND NOT letter.held)",
        (list(links),),
    )
    return {row[0] async for row in cursor}


async def release_deferred(connection: Connection, links: Sequence[str]) -> None:
    """Put letters back into the queue whose time of waiting is over."""
    await connection.execute(
        "UPDATE outbox_letter SET held = false, not_before = NULL"
        " WHERE link = ANY(%s) AND lseq IS NULL AND held AND not_before <= clock_timestamp()",
        (list(links),),
    )


# -- outcomes --------------------------------------------------------------------------------

_RECEIPTS = """
INSERT INTO outbox_receipt
    (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at, received_at)
SELECT %(link)s, item.*, clock_timestamp()
  FROM unnest(%(first)b::bigint[], %(last)b::bigint[], %(body)b::bytea[], %(signature)b::bytea[],
              %(kid)s::text[], %(leaves)b::bytea[], %(issued)b::timestamptz[]) AS item
    ON CONFLICT DO NOTHING
"""

# A dead letter that got a receipt after all (it had expired here while it was on its way).
_RAISE_DEAD = """
UPDATE outbox_deadletter AS dead
   SET resolution = 'relayed', resolved_at = clock_timestamp(), told = true
 WHERE dead.link = %(link)s AND dead.lseq BETWEEN %(first)s AND %(last)s AND dead.resolution = ''
   AND NOT dead.message_id = ANY(%(refused)s)
"""

_MOVE_ACKED = """
UPDATE outbox_link
   SET acked_lseq = %(acked)s, receipt_hash = %(hash)s, last_contact_at = clock_timestamp(),
       failing_since = NULL, next_try_at = NULL, backoff_ms = 0, last_error = '',
       last_error_detail = '', suspect_lseq = %(suspect)s, suspect_kills = %(kills)s,
       frame_limit = %(limit)s
 WHERE name = %(link)s AND fence = %(fence)s AND acked_lseq = %(before)s
"""


async def acknowledge(
    connection: Connection,
    lease: Lease,
    receipts: Sequence[ReceivedReceipt],
    *,
    before: int,
    refused: Sequence[Refused],
    suspicion: Suspicion,
) -> None:
    """Store verified receipts and move the link on, in one transaction.

    `before` is the position that the first receipt follows. Refused letters die or are put back
    into the queue.
    """
    last = receipts[-1]
    final = [each for each in refused if each.retry_ms is None]
    async with connection.pipeline() as pipeline, connection.transaction():
        # First the link: a stale owner must not get any further.
        moved = await connection.execute(
            _MOVE_ACKED,
            {
                "link": lease.link,
                "fence": lease.fence,
                "before": before,
                "acked": last.last_lseq,
                "hash": last.body_hash,
                "suspect": suspicion.last,
                "kills": suspicion.kills,
                "limit": suspicion.frame_limit,
            },
        )
        await connection.execute(
            _RECEIPTS,
            {
                "link": lease.link,
                "first": [each.first_lseq for each in receipts],
                "last": [each.last_lseq for each in receipts],
                "body": [each.body for each in receipts],
                "signature": [each.signature for each in receipts],
                "kid": [each.kid for each in receipts],
                "leaves": [each.leaves for each in receipts],
                "issued": [each.issued_at for each in receipts],
            },
        )
        await connection.execute(
            _RAISE_DEAD,
            {
                "link": lease.link,
                "first": receipts[0].first_lseq,
                "last": last.last_lseq,
                "refused": [each.message_id for each in refused],
            },
        )
        for expired, state in ((False, "refused"), (True, "expired")):
            if dead := [each for each in final if each.expired is expired]:
                await _bury(connection, dead, state=state)
        if deferred := [each for each in refused if each.retry_ms is not None]:
            await connection.execute(
                "UPDATE outbox_letter AS letter SET lseq = NULL, held = true,"
                " not_before = clock_timestamp() + make_interval(secs => item.ms / 1000.0)"
                " FROM unnest(%s::uuid[], %s::int[]) AS item (id, ms) WHERE letter.id = item.id",
                ([each.message_id for each in deferred], [each.retry_ms for each in deferred]),
            )
        await pipeline.sync()
        if moved.rowcount != 1:
            raise FenceLost(lease.link)


async def _bury(connection: Connection, letters: Sequence[Refused], *, state: str) -> None:
    await connection.execute(
        "INSERT INTO outbox_deadletter"
        " (id, message_id, tenant_role, link, lseq, case_id, kind, state, reason, died_at)"
        " SELECT item.dead_id, letter.id, letter.tenant_role, letter.link, letter.lseq,"
        "        letter.case_id, letter.kind, %s, item.reason, clock_timestamp()"
        "   FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS item (dead_id, id, reason)"
        "   JOIN outbox_letter AS letter ON letter.id = item.id"
        "     ON CONFLICT (message_id) WHERE resolution = '' DO NOTHING",
        (
            state,
            [new_id() for _ in letters],
            [each.message_id for each in letters],
            [each.reason for each in letters],
        ),
    )


async def park(
    connection: Connection, lease: Lease, letter: Refused, *, suspicion: Suspicion
) -> None:
    """Take a letter that kills calls out of the queue; its position stays void. A transaction."""
    async with connection.transaction():
        await _keep_suspicion(connection, lease, suspicion)
        await _bury(connection, [letter], state="parked")
        await connection.execute(
            "UPDATE outbox_letter SET lseq = 0 WHERE id = %s", (letter.message_id,)
        )


# A letter without number is locked before it dies, so that it is not numbered meanwhile. One under
# way keeps its position, because the peer may have seen it there.
_EXPIRE = """
WITH unsent AS (
    SELECT letter.id FROM outbox_letter AS letter
     WHERE letter.link = ANY(%(links)s) AND letter.lseq IS NULL
       AND letter.expires_at < clock_timestamp()
     LIMIT %(most)s FOR UPDATE SKIP LOCKED
), late AS (
    SELECT id, NULL::bigint AS lseq FROM unsent
    UNION ALL
    SELECT letter.id, letter.lseq
      FROM outbox_link AS link JOIN outbox_letter AS letter
        ON letter.link = link.name AND letter.lseq > link.acked_lseq
     WHERE link.name = ANY(%(links)s)
       AND letter.expires_at < clock_timestamp() - make_interval(secs => %(grace)s)
), dead AS (
    INSERT INTO outbox_deadletter
        (id, message_id, tenant_role, link, lseq, case_id, kind, state, reason, died_at)
    SELECT gen_random_uuid(), letter.id, letter.tenant_role, letter.link, late.lseq,
           letter.case_id, letter.kind, 'expired',
           CASE WHEN late.lseq IS NULL THEN 'NEVER_SENT' ELSE 'NO_RECEIPT' END, clock_timestamp()
      FROM late JOIN outbox_letter AS letter USING (id)
        ON CONFLICT (message_id) WHERE resolution = '' DO NOTHING
 RETURNING message_id
), ended AS (
    UPDATE outbox_letter AS letter SET lseq = 0 FROM unsent WHERE letter.id = unsent.id
)
SELECT count(*) FROM dead
"""


async def expire(connection: Connection, links: Sequence[str], *, grace: float, most: int) -> int:
    """End letters whose time is over; return how many.

    Letters under way are given `grace` seconds more, since the peer may hold them and its clock may
    differ.
    """
    cursor = await connection.execute(_EXPIRE, {"links": list(links), "grace": grace, "most": most})
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


# -- trouble ---------------------------------------------------------------------------------


async def note_contact(connection: Connection, lease: Lease) -> None:
    """Note that the peer has welcomed us."""
    await connection.execute(
        "UPDATE outbox_link SET last_contact_at = clock_timestamp() WHERE name = %s AND fence = %s",
        (lease.link, lease.fence),
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
        await _keep_suspicion(connection, lease, suspicion)
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


async def _keep_suspicion(connection: Connection, lease: Lease, suspicion: Suspicion) -> None:
    cursor = await connection.execute(
        "UPDATE outbox_link SET suspect_lseq = %s, suspect_kills = %s, frame_limit = %s"
        " WHERE name = %s AND fence = %s",
        (suspicion.last, suspicion.kills, suspicion.frame_limit, lease.link, lease.fence),
    )
    if cursor.rowcount != 1:
        raise FenceLost(lease.link)


async def raise_alarm(
    connection: Connection,
    *,
    code: str,
    link: str,
    detail: str,
    message_id: UUID | None = None,
    tenant_role: str | None = None,
) -> None:
    """Leave a note that a person must see, unless the same one is open. No content in `detail`."""
    await connection.execute(
        "INSERT INTO outbox_alarm"
        " (id, code, link, tenant_role, message_id, detail, raised_at)"
        " SELECT %(id)s, %(code)s::text, %(link)s::text, %(role)s::text, %(message)s::uuid,"
        "        %(detail)s::text, clock_timestamp()"
        "  WHERE NOT EXISTS (SELECT FROM outbox_alarm"
        "         WHERE acknowledged_at IS NULL AND code = %(code)s::text"
        "           AND link = %(link)s::text"
        "           AND message_id IS NOT DISTINCT FROM %(message)s::uuid)",
        {
            "id": new_id(),
            "code": code,
            "link": link,
            "role": tenant_role,
            "message": message_id,
            "detail": detail[:500],
        },
    )


async def retry_now(connection: Connection, names: Sequence[str]) -> None:
    """End the back-off of links: the directory has news about their centres."""
    await connection.execute(
        "UPDATE outbox_link SET next_try_at = NULL, backoff_ms = 0"
        " WHERE name = ANY(%s) AND next_try_at IS NOT NULL",
        (list(names),),
    )


# -- documents -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """A document that a held letter waits for."""

    message_id: UUID
    tenant_role: str
    sender: UUID
    recipient: UUID
    digest: bytes
    size: int


async def pending_uploads(
    connection: Connection, link: str, *, most: int, without: Sequence[UUID]
) -> list[Upload]:
    """Return documents to upload, oldest letters first, except for those of some letters."""
    cursor = await connection.execute(
        "SELECT message_id, tenant_role, sender, recipient, digest, size FROM outbox_upload"
        " WHERE link = %s AND done_at IS NULL AND NOT message_id = ANY(%s)"
        " ORDER BY message_id LIMIT %s",
        (link, list(without), most),
        binary=True,
    )
    return [Upload(*row) for row in await cursor.fetchall()]


async def chunks(connection: Connection, upload: Upload, *, first: int, most: int) -> list[bytes]:
    """Return some sealed chunks of a document in order."""
    cursor = await connection.execute(
        "SELECT chunk.data FROM blobs_blobchunk AS chunk JOIN blobs_blob AS blob"
        "    ON blob.id = chunk.blob_id"
        " WHERE blob.tenant_role = %s AND blob.digest = %s AND chunk.number >= %s"
        " ORDER BY chunk.number LIMIT %s",
        (upload.tenant_role, upload.digest, first, most),
        binary=True,
    )
    return [row[0] for row in await cursor.fetchall()]


async def finish_upload(connection: Connection, upload: Upload) -> None:
    """Note that the peer has a document; its letter may go if it was the last. A transaction."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE outbox_upload SET done_at = clock_timestamp()"
            " WHERE message_id = %s AND digest = %s",
            (upload.message_id, upload.digest),
        )
        await connection.execute(
            "UPDATE outbox_letter SET held = false"
            " WHERE id = %(id)s AND lseq IS NULL AND held AND not_before IS NULL"
            "   AND NOT EXISTS (SELECT FROM outbox_upload"
            "                    WHERE message_id = %(id)s AND done_at IS NULL)",
            {"id": upload.message_id},
        )


async def refuse_upload(connection: Connection, upload: Upload, *, reason: str) -> None:
    """End a letter whose document the peer will never take, in a transaction."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE outbox_upload SET done_at = clock_timestamp() WHERE message_id = %s",
            (upload.message_id,),
        )
        await _bury(connection, [Refused(upload.message_id, reason)], state="refused")
        await connection.execute(
            "UPDATE outbox_letter SET lseq = 0 WHERE id = %s AND lseq IS NULL",
            (upload.message_id,),
        )


# -- figures ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """What monitoring wants to know of a link."""

    link: str
    backlog: int
    oldest_seconds: float
    dead: int


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
        "    WHERE link = peer.name AND lseq > peer.acked_lseq) AS under_way"
        "  CROSS JOIN LATERAL (SELECT count(*) FROM outbox_deadletter"
        "    WHERE link = peer.name AND resolution = '') AS dead"
        " WHERE peer.name = ANY(%s)",
        (most, list(links)),
    )
    return [Figures(*row) async for row in cursor]

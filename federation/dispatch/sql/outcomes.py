"""What becomes of letters: receipted, refused, deferred, parked, expired."""

from collections.abc import Sequence
from uuid import UUID

from centre.kernel.ids import new_id
from federation.dispatch.errors import FenceLost
from federation.dispatch.isolation import Suspicion
from federation.dispatch.sql.links import keep_suspicion
from federation.dispatch.sql.types import Connection, Lease, ReceivedReceipt, Refused
from federation.protocol.reasons import Reason

_RECEIPTS = """
INSERT INTO outbox_receipt
    (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at, received_at)
SELECT %(link)s, item.*, clock_timestamp()
  FROM unnest(%(first)b::bigint[], %(last)b::bigint[], %(body)b::bytea[], %(signature)b::bytea[],
              %(kid)s::text[], %(leaves)b::bytea[], %(issued)b::timestamptz[]) AS item
    ON CONFLICT DO NOTHING
"""

# Letters that were parked here, but had reached the peer, stand at their positions again.
_RETURN = """
UPDATE outbox_letter AS letter SET lseq = dead.lseq
  FROM outbox_deadletter AS dead
 WHERE dead.message_id = letter.id AND dead.link = %(link)s AND dead.resolution = ''
   AND letter.id = ANY(%(arrived)s) AND letter.lseq = 0
"""

# A dead letter that got a receipt after all (it had expired here while it was on its way). A parked
# one does not stand at its position any more: the receipt there is one for nothing.
_RAISE_DEAD = """
UPDATE outbox_deadletter AS dead
   SET resolution = 'relayed', resolved_at = clock_timestamp(), told = true
  FROM outbox_letter AS letter
 WHERE dead.link = %(link)s AND dead.lseq BETWEEN %(first)s AND %(last)s AND dead.resolution = ''
   AND letter.id = dead.message_id AND letter.lseq = dead.lseq
   AND NOT dead.message_id = ANY(%(refused)s)
"""

# What the peer wants later goes back into the queue. Where it misses a document, time alone mends
# nothing: the uploads of the letter are open again, and the last of them lets it go.
_DEFER = """
WITH item AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(waits)s::int[], %(missing)s::bool[])
           AS item (id, ms, missing)
), opened AS (
    UPDATE outbox_upload AS upload SET done_at = NULL FROM item
     WHERE item.missing AND upload.message_id = item.id
 RETURNING upload.message_id
)
UPDATE outbox_letter AS letter
   SET lseq = NULL, held = true,
       not_before = CASE WHEN letter.id NOT IN (SELECT message_id FROM opened)
                         THEN clock_timestamp() + make_interval(secs => item.ms / 1000.0) END
  FROM item WHERE letter.id = item.id
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
    arrived: Sequence[UUID] = (),
    suspicion: Suspicion,
) -> None:
    """Store verified receipts and move the link on, in one transaction.

    `before` is the position that the first receipt follows. Refused letters die or are put back
    into the queue. `arrived` are parked letters that the peer holds all the same.
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
        if arrived:
            await connection.execute(_RETURN, {"link": lease.link, "arrived": list(arrived)})
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
                await bury(connection, dead, state=state)
        if deferred := [each for each in refused if each.retry_ms is not None]:
            await connection.execute(
                _DEFER,
                {
                    "ids": [each.message_id for each in deferred],
                    "waits": [each.retry_ms for each in deferred],
                    "missing": [each.reason == Reason.BLOB_MISSING for each in deferred],
                },
            )
        await pipeline.sync()
        if moved.rowcount != 1:
            raise FenceLost(lease.link)


async def bury(connection: Connection, letters: Sequence[Refused], *, state: str) -> None:
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
        await keep_suspicion(connection, lease, suspicion)
        await bury(connection, [letter], state="parked")
        await connection.execute(
            "UPDATE outbox_letter SET lseq = 0 WHERE id = %s", (letter.message_id,)
        )


# A letter without number is locked before it dies, so that it is not numbered meanwhile. One under
# way keeps its position, because the peer may have seen it there.
_EXPIRE = """
WITH unsent AS (
    SELECT letter.id, letter.tenant_role, letter.link, letter.case_id, letter.kind
      FROM outbox_letter AS letter
     WHERE letter.link = ANY(%(links)s) AND letter.lseq IS NULL
       AND letter.expires_at < clock_timestamp()
     LIMIT %(most)s FOR UPDATE SKIP LOCKED
), late AS (
    SELECT unsent.*, NULL::bigint AS lseq FROM unsent
    UNION ALL
    SELECT letter.id, letter.tenant_role, letter.link, letter.case_id, letter.kind, letter.lseq
      FROM outbox_link AS link JOIN outbox_letter AS letter
        ON letter.link = link.name AND letter.lseq > link.acked_lseq
       AND letter.lseq > 0  -- without this, the planner does not see that the index has all
     WHERE link.name = ANY(%(links)s)
       AND letter.expires_at < clock_timestamp() - make_interval(secs => %(grace)s)
), dead AS (
    INSERT INTO outbox_deadletter
        (id, message_id, tenant_role, link, lseq, case_id, kind, state, reason, died_at)
    SELECT gen_random_uuid(), late.id, late.tenant_role, late.link, late.lseq, late.case_id,
           late.kind, 'expired',
           CASE WHEN late.lseq IS NULL THEN 'NEVER_SENT' ELSE 'NO_RECEIPT' END, clock_timestamp()
      FROM late
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

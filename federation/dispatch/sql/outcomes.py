"""What becomes of letters: receipted, refused, deferred, parked, expired."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from centre.kernel.ids import new_id
from federation.dispatch.errors import FenceLost
from federation.dispatch.isolation import Suspicion
from federation.dispatch.sql.links import keep_suspicion
from federation.dispatch.sql.types import Connection, Lease, ReceivedReceipt, Refused
from federation.protocol.reasons import Reason

# Letters that were parked here, but had reached the peer, stand at their positions again.
_RETURN = """
UPDATE outbox_letter AS letter SET lseq = dead.lseq
  FROM outbox_deadletter AS dead
 WHERE dead.message_id = letter.id AND dead.link = %(link)s AND dead.resolution = ''
   AND letter.id = ANY(%(arrived)s) AND letter.lseq = 0
"""

# What the peer wants later goes back into the queue, to wait as long as it said. Where it misses a
# document, the uploads of the letter are open again: it waits for the last of them, too.
_DEFER = """
WITH item AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(waits)s::int[], %(reasons)s::text[])
           AS item (id, ms, reason)
), opened AS (
    UPDATE outbox_upload AS upload SET done_at = NULL FROM item
     WHERE item.reason = %(missing)s AND upload.message_id = item.id
)
UPDATE outbox_letter AS letter
   SET lseq = NULL, held = true, deferred_for = item.reason,
       not_before = clock_timestamp() + make_interval(secs => item.ms / 1000.0)
  FROM item WHERE letter.id = item.id
"""

# One statement, so one way to the server and back. First the link: a stale owner must not get any
# further. A dead letter that got a receipt after all had expired here while it was on its way. (A
# parked one does not stand at its position any more: the receipt there is one for nothing.)
_SETTLE = """
WITH moved AS (
    UPDATE outbox_link
       SET acked_lseq = %(acked)s, receipt_hash = %(hash)s, last_contact_at = clock_timestamp(),
           failing_since = NULL, next_try_at = NULL, backoff_ms = 0, last_error = '',
           last_error_detail = '', suspect_lseq = %(suspect)s, suspect_kills = %(kills)s,
           frame_limit = %(limit)s
     WHERE name = %(link)s AND fence = %(fence)s AND acked_lseq = %(before)s
 RETURNING name
), kept AS (
    INSERT INTO outbox_receipt
        (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at, received_at)
    SELECT moved.name, item.*, clock_timestamp()
      FROM moved, unnest(%(first)b::bigint[], %(last)b::bigint[], %(body)b::bytea[],
                         %(signature)b::bytea[], %(kid)s::text[], %(leaves)b::bytea[],
                         %(issued)b::timestamptz[]) AS item
        ON CONFLICT DO NOTHING
), raised AS (
    UPDATE outbox_deadletter AS dead
       SET resolution = 'relayed', resolved_at = clock_timestamp(), told = true
      FROM moved, outbox_letter AS letter
     WHERE dead.link = moved.name AND dead.lseq BETWEEN %(begin)s AND %(acked)s
       AND dead.resolution = '' AND letter.id = dead.message_id AND letter.lseq = dead.lseq
       AND NOT dead.message_id = ANY(%(refused)b::uuid[])
)
SELECT count(*) FROM moved
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
    into the queue. `arrived` are parked letters that the peer holds all the same. Raises
    `FenceLost` if somebody else has moved the link.
    """
    if receipts[0].first_lseq != before + 1:
        raise ValueError(f"a receipt from {receipts[0].first_lseq} on does not follow {before}")
    settled = {
        "link": lease.link,
        "fence": lease.fence,
        "before": before,
        "begin": receipts[0].first_lseq,
        "acked": receipts[-1].last_lseq,
        "hash": receipts[-1].body_hash,
        "suspect": suspicion.last,
        "kills": suspicion.kills,
        "limit": suspicion.frame_limit,
        "first": [each.first_lseq for each in receipts],
        "last": [each.last_lseq for each in receipts],
        "body": [each.body for each in receipts],
        "signature": [each.signature for each in receipts],
        "kid": [each.kid for each in receipts],
        "leaves": [each.leaves for each in receipts],
        "issued": [each.issued_at for each in receipts],
        "refused": [each.message_id for each in refused],
    }
    if not refused and not arrived:
        await _settle(connection, lease, settled)
        return
    async with connection.transaction():
        if arrived:
            await connection.execute(_RETURN, {"link": lease.link, "arrived": list(arrived)})
        await _settle(connection, lease, settled)
        final = [each for each in refused if each.retry_ms is None]
        for expired, state in ((False, "refused"), (True, "expired")):
            if dead := [each for each in final if each.expired is expired]:
                await bury(connection, dead, state=state)
        if deferred := [each for each in refused if each.retry_ms is not None]:
            await connection.execute(
                _DEFER,
                {
                    "ids": [each.message_id for each in deferred],
                    "waits": [each.retry_ms for each in deferred],
                    "reasons": [each.reason for each in deferred],
                    "missing": Reason.BLOB_MISSING,
                },
            )


async def _settle(connection: Connection, lease: Lease, settled: Mapping[str, object]) -> None:
    cursor = await connection.execute(_SETTLE, settled)
    row = await cursor.fetchone()
    if row is None or row[0] != 1:
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
# way keeps its position, because the peer may have seen it there. (clock_timestamp() changes within
# a statement, so no index can be searched for it.)
_EXPIRE = """
WITH unsent AS (
    SELECT letter.id, letter.tenant_role, letter.link, letter.case_id, letter.kind
      FROM outbox_letter AS letter
     WHERE letter.link = ANY(%(links)s) AND letter.lseq IS NULL
       AND letter.expires_at < statement_timestamp()
     LIMIT %(most)s FOR UPDATE SKIP LOCKED
), late AS (
    SELECT unsent.*, NULL::bigint AS lseq FROM unsent
    UNION ALL
    SELECT sent.* FROM outbox_link AS link CROSS JOIN LATERAL (
           SELECT letter.id, letter.tenant_role, letter.link, letter.case_id, letter.kind,
                  letter.lseq
             FROM outbox_letter AS letter
            WHERE letter.link = link.name AND letter.lseq > link.acked_lseq
              AND letter.lseq > 0  -- without this, the planner does not see that the index has all
              AND letter.expires_at < statement_timestamp() - make_interval(secs => %(grace)s)
              AND NOT EXISTS (SELECT FROM outbox_deadletter AS dead
                               WHERE dead.message_id = letter.id AND dead.resolution = '')
            ORDER BY letter.lseq LIMIT %(most)s) AS sent
     WHERE link.name = ANY(%(links)s)
), dead AS (
    INSERT INTO outbox_deadletter
        (id, message_id, tenant_role, link, lseq, case_id, kind, state, reason, died_at)
    SELECT gen_random_uuid(), late.id, late.tenant_role, late.link, late.lseq, late.case_id,
           late.kind, 'expired',
           CASE WHEN late.lseq IS NULL AND NOT EXISTS (
                     SELECT FROM outbox_deadletter AS before
                      WHERE before.message_id = late.id AND before.lseq IS NOT NULL
                        AND before.state <> 'refused')
                THEN 'NEVER_SENT' ELSE 'NO_RECEIPT' END, clock_timestamp()
      FROM late
        ON CONFLICT (message_id) WHERE resolution = '' DO NOTHING
 RETURNING message_id
), ended AS (
    UPDATE outbox_letter AS letter SET lseq = 0 FROM unsent WHERE letter.id = unsent.id
), closed AS (
    UPDATE outbox_upload AS upload SET done_at = clock_timestamp() FROM unsent
     WHERE upload.message_id = unsent.id AND upload.done_at IS NULL
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

"""All SQL of the gateway. No ORM: a connection that carries a tenant has no place in asyncio.

Every function runs on a connection of the login role `federation`, which may add to the inbox and
can become no tenant. Whoever calls holds the transaction, unless the function says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from centre.kernel.ids import new_id
from centre.keys.blobs import SEALED_CHUNK_SIZE
from federation.inbox.admission import Host
from federation.inbox.arrivals import Arrival
from federation.protocol.receipts import SignedReceipt

type Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a link has come here, durably."""

    in_lseq: int
    receipt_hash: bytes


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as it was signed, and the leaves under it."""

    first_lseq: int
    last_lseq: int
    signed: SignedReceipt
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob as far as it has come."""

    id: UUID
    tenant_role: str
    size: int
    received: int
    chunk_count: int
    complete: bool
    in_file: bool


# -- links -----------------------------------------------------------------------------------


async def open_link(connection: Connection, link: str, *, now: datetime) -> Position:
    """Return the link's position, beginning it at 0 if this is the peer's first contact."""
    await connection.execute(
        "INSERT INTO inbox_inboundlink (link, updated_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (link, now),
    )
    return await position(connection, link)


_POSITION = "SELECT in_lseq, receipt_hash FROM inbox_inboundlink WHERE link = %s"
_LOCKED_POSITION = f"{_POSITION} FOR UPDATE"


async def position(connection: Connection, link: str, *, lock: bool = False) -> Position:
    """Return the position of an opened link; with `lock`, nobody else moves it until commit."""
    cursor = await connection.execute(_LOCKED_POSITION if lock else _POSITION, (link,))
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"link {link!r} was never opened")
    return Position(row[0], bytes(row[1]))


async def move_link(
    connection: Connection, link: str, position: Position, *, now: datetime
) -> None:
    await connection.execute(
        "UPDATE inbox_inboundlink SET in_lseq = %s, receipt_hash = %s, updated_at = %s"
        " WHERE link = %s",
        (position.in_lseq, position.receipt_hash, now, link),
    )


async def reset_back_off(connection: Connection, link: str, *, now: datetime) -> bool:
    """Let our own letters to a peer go at once, since it is evidently alive; True if they waited.

    Wakes dispatch only then, so that traffic never turns into notifications.
    """
    cursor = await connection.execute(
        "UPDATE outbox_link SET next_try_at = %s, backoff_ms = 0"
        " WHERE name = %s AND next_try_at > %s",
        (now, link, now),
    )
    if not cursor.rowcount:
        return False
    await connection.execute("SELECT pg_notify('amtsbruecke_dispatch', %s)", (link,))
    return True


# -- messages --------------------------------------------------------------------------------

# The letters of a commit as rows, from the columns of `_columns`.
_ITEMS = """
       unnest(%(ids)b::uuid[], %(roles)b::text[], %(lseqs)b::bigint[], %(senders)b::uuid[],
              %(cases)b::uuid[], %(sequences)b::bigint[], %(kinds)b::text[], %(envelopes)b::bytea[],
              %(digests)b::bytea[])
       AS item (id, tenant_role, lseq, sender, case_id, case_sequence, kind, envelope, digest)
"""
_INTO = """
INSERT INTO inbox_inboundmessage
    (origin, id, tenant_role, link, lseq, sender, case_id, case_sequence, kind, envelope, digest,
     received_at, state, due_at)
SELECT %(origin)s, item.id, item.tenant_role, %(origin)s, item.lseq, item.sender, item.case_id,
       item.case_sequence, item.kind, item.envelope, item.digest, %(now)s, 'pending', %(now)s
"""
_STORE = f"{_INTO} FROM {_ITEMS} ON CONFLICT (origin, id) DO NOTHING RETURNING id"


async def store(
    connection: Connection, origin: str, arrivals: Sequence[Arrival], *, now: datetime
) -> set[UUID]:
    """Add messages to the inbox; return the ids that were new. `arrivals` have distinct ids."""
    cursor = await connection.execute(_STORE, _columns(origin, arrivals, now))
    return {row[0] async for row in cursor}


def _columns(origin: str, arrivals: Sequence[Arrival], now: datetime) -> dict[str, object]:
    return {
        "origin": origin,
        "now": now,
        "ids": [each.message_id for each in arrivals],
        "roles": [each.tenant_role for each in arrivals],
        "lseqs": [each.lseq for each in arrivals],
        "senders": [each.sender for each in arrivals],
        "cases": [each.case_id for each in arrivals],
        "sequences": [each.case_sequence for each in arrivals],
        "kinds": [each.kind for each in arrivals],
        "envelopes": [each.envelope for each in arrivals],
        "digests": [each.digest for each in arrivals],
    }


# All of a commit in one statement, for the usual case: the link stands where this gateway has left
# it, and none of the letters was ever here. Whoever moves the link holds its row, so what another
# stream commits meanwhile leaves nothing to move here, and nothing is stored.
_STORE_NEW = f"""
WITH moved AS (
    UPDATE inbox_inboundlink SET in_lseq = %(last)s, receipt_hash = %(hash)s, updated_at = %(now)s
     WHERE link = %(origin)s AND in_lseq = %(in_lseq)s AND receipt_hash = %(prev)s
       AND NOT EXISTS (SELECT FROM inbox_inboundmessage
                        WHERE origin = %(origin)s AND id = ANY(%(ids)b::uuid[]))
 RETURNING link
), stored AS ({_INTO} FROM moved, {_ITEMS})
INSERT INTO inbox_issuedreceipt
    (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at)
SELECT moved.link, %(first)s, %(last)s, %(body)s, %(signature)s, %(kid)s, %(leaves)s, %(now)s
  FROM moved
"""  # noqa: S608 -- made of the two parts above, and of nothing that anybody says


async def store_new(
    connection: Connection,
    origin: str,
    arrivals: Sequence[Arrival],
    receipt: StoredReceipt,
    *,
    known: Position,
    now: datetime,
) -> bool:
    """Store letters with their receipt and move the link on from `known`, if all are new.

    A transaction of its own. Returns False, and has done nothing, if the link stands elsewhere or
    one of the letters is known.
    """
    cursor = await connection.execute(
        _STORE_NEW,
        _columns(origin, arrivals, now)
        | {
            "in_lseq": known.in_lseq,
            "prev": known.receipt_hash,
            "first": receipt.first_lseq,
            "last": receipt.last_lseq,
            "body": receipt.signed.body,
            "hash": receipt.signed.hash,
            "signature": receipt.signed.signature,
            "kid": receipt.signed.kid,
            "leaves": receipt.leaves,
        },
    )
    return cursor.rowcount == 1


async def digests(connection: Connection, origin: str, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return what is stored under these ids."""
    cursor = await connection.execute(
        "SELECT id, digest FROM inbox_inboundmessage WHERE origin = %s AND id = ANY(%s)",
        (origin, list(ids)),
    )
    return {row[0]: bytes(row[1]) async for row in cursor}


async def reference_blobs(
    connection: Connection, wanted: Sequence[tuple[str, bytes, int]], *, now: datetime
) -> set[tuple[str, bytes]]:
    """Note that messages name these blobs (tenant, digest, size); return the complete ones."""
    cursor = await connection.execute(
        "UPDATE blobs_blob AS blob SET referenced_at = coalesce(blob.referenced_at, %s)"
        "  FROM unnest(%s::text[], %b::bytea[], %s::bigint[]) AS item (tenant_role, digest, size)"
        " WHERE blob.tenant_role = item.tenant_role AND blob.digest = item.digest"
        "   AND blob.size = item.size AND blob.complete"
        " RETURNING blob.tenant_role, blob.digest",
        (now, *([each[column] for each in wanted] for column in range(3))),
    )
    return {(row[0], bytes(row[1])) async for row in cursor}


# -- receipts --------------------------------------------------------------------------------


async def store_receipt(
    connection: Connection, link: str, receipt: StoredReceipt, *, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO inbox_issuedreceipt"
        " (link, first_lseq, last_lseq, body, signature, kid, leaves, issued_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            link,
            receipt.first_lseq,
            receipt.last_lseq,
            receipt.signed.body,
            receipt.signed.signature,
            receipt.signed.kid,
            receipt.leaves,
            now,
        ),
    )


async def receipts(
    connection: Connection, link: str, *, after: int, limit: int
) -> list[StoredReceipt]:
    """Return the receipts that cover positions above `after`, in order, at most `limit`."""
    # Ranges neither overlap nor leave gaps: the first wanted one begins last below `after + 1`.
    cursor = await connection.execute(
        "SELECT first_lseq, last_lseq, body, kid, signature, leaves"
        "  FROM inbox_issuedreceipt"
        " WHERE link = %(link)s AND last_lseq > %(after)s AND first_lseq >= coalesce("
        "       (SELECT max(first_lseq) FROM inbox_issuedreceipt"
        "         WHERE link = %(link)s AND first_lseq <= %(after)s + 1), 0)"
        " ORDER BY first_lseq LIMIT %(limit)s",
        {"link": link, "after": after, "limit": limit},
    )
    return [
        StoredReceipt(
            row[0], row[1], SignedReceipt(bytes(row[2]), row[3], bytes(row[4])), bytes(row[5])
        )
        async for row in cursor
    ]


# -- who is hosted here ----------------------------------------------------------------------


async def hosts(connection: Connection) -> Mapping[UUID, Host]:
    """Return the municipalities hosted here, by the authority that each is in the directory."""
    cursor = await connection.execute(
        "SELECT authority_id, tenant_role, state = 'active', state = 'deleted'"
        "  FROM registry_municipality"
    )
    return {row[0]: Host(row[1], active=row[2], deleted=row[3]) async for row in cursor}


# -- blobs -----------------------------------------------------------------------------------


_UPLOAD = (
    "SELECT id, tenant_role, size, received, chunk_count, complete, in_file FROM blobs_blob"
    " WHERE tenant_role = %s AND digest = %s"
)
_LOCKED_UPLOAD = f"{_UPLOAD} FOR UPDATE"


async def upload(
    connection: Connection, tenant_role: str, digest: bytes, *, lock: bool = False
) -> Upload | None:
    """Return how far a blob has come, or None; with `lock`, nobody else adds to it."""
    cursor = await connection.execute(_LOCKED_UPLOAD if lock else _UPLOAD, (tenant_role, digest))
    row = await cursor.fetchone()
    return None if row is None else Upload(*row)


async def begin_upload(
    connection: Connection,
    *,
    tenant_role: str,
    digest: bytes,
    size: int,
    origin: str,
    in_file: bool,
    now: datetime,
) -> None:
    """Begin a blob unless it was begun before."""
    await connection.execute(
        "INSERT INTO blobs_blob (id, tenant_role, digest, size, received, chunk_count, complete,"
        " origin, in_file, touched_at) VALUES (%s, %s, %s, %s, 0, 0, false, %s, %s, %s)"
        " ON CONFLICT (tenant_role, digest) DO NOTHING",
        (new_id(), tenant_role, digest, size, origin, in_file, now),
    )


async def add_chunks(connection: Connection, upload: Upload, chunks: Sequence[bytes]) -> None:
    """Add chunks to a blob that the caller has locked."""
    await connection.execute(
        "INSERT INTO blobs_blobchunk (blob_id, number, tenant_role, data)"
        " SELECT %s, %s + item.position - 1, %s, item.data"
        "   FROM unnest(%b::bytea[]) WITH ORDINALITY AS item (data, position)",
        (upload.id, upload.chunk_count, upload.tenant_role, list(chunks)),
    )


async def grow_upload(
    connection: Connection, upload: Upload, size: int, *, now: datetime
) -> Upload:
    """Note that so many bytes were added in whole chunks; return how far the blob has come."""
    received = upload.received + size
    grown = replace(upload, received=received, chunk_count=-(-received // SEALED_CHUNK_SIZE))
    await connection.execute(
        "UPDATE blobs_blob SET received = %s, chunk_count = %s, touched_at = %s WHERE id = %s",
        (grown.received, grown.chunk_count, now, upload.id),
    )
    return grown


async def complete_upload(connection: Connection, upload: Upload, *, now: datetime) -> Upload:
    await connection.execute(
        "UPDATE blobs_blob SET complete = true, touched_at = %s WHERE id = %s", (now, upload.id)
    )
    return replace(upload, complete=True)


async def empty_upload(connection: Connection, upload: Upload, *, now: datetime) -> Upload:
    """Let an upload start again whose bytes are thrown away."""
    await connection.execute(
        "UPDATE blobs_blob SET received = 0, chunk_count = 0, touched_at = %s WHERE id = %s",
        (now, upload.id),
    )
    return replace(upload, received=0, chunk_count=0)


async def delete_chunks(connection: Connection, upload: Upload) -> None:
    await connection.execute("DELETE FROM blobs_blobchunk WHERE blob_id = %s", (upload.id,))


async def chunks(
    connection: Connection, upload: Upload, *, first_number: int, limit: int
) -> list[bytes]:
    """Return some chunks of a blob in order."""
    cursor = await connection.execute(
        "SELECT data FROM blobs_blobchunk WHERE blob_id = %s AND number >= %s"
        " ORDER BY number LIMIT %s",
        (upload.id, first_number, limit),
        binary=True,
    )
    return [row[0] async for row in cursor]


async def announced_bytes(connection: Connection, origin: str) -> int:
    """Return how many bytes a peer has announced in uploads that no message names yet."""
    cursor = await connection.execute(
        "SELECT coalesce(sum(size), 0)::bigint FROM blobs_blob"
        " WHERE origin = %s AND referenced_at IS NULL",
        (origin,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0

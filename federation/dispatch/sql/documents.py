"""Documents that letters wait for."""

from collections.abc import Sequence
from uuid import UUID

from federation.dispatch.sql.outcomes import bury
from federation.dispatch.sql.types import Connection, Document, Refused, Upload


async def pending_uploads(
    connection: Connection, link: str, *, without: Sequence[UUID]
) -> list[Upload]:
    """Return a round of documents to upload: each tenant's oldest, except for some letters'.

    One of each, so that nobody's scanned files delay a neighbour's single page.
    """
    cursor = await connection.execute(
        "SELECT DISTINCT ON (upload.tenant_role)"
        "       upload.message_id, upload.tenant_role, upload.sender, upload.recipient,"
        "       upload.digest, upload.size"
        "  FROM outbox_upload AS upload JOIN outbox_letter AS letter"
        "    ON letter.id = upload.message_id"
        # A letter that has ended (expired, cancelled) needs its documents no more.
        " WHERE upload.link = %s AND upload.done_at IS NULL"
        # Not numbered, in words that fit no index: the letter is to be found by its key.
        "   AND coalesce(letter.lseq, -1) = -1"
        "   AND NOT upload.message_id = ANY(%s)"
        " ORDER BY upload.tenant_role, upload.message_id",
        (link, list(without)),
        binary=True,
    )
    return [Upload(*row) for row in await cursor.fetchall()]


async def document(connection: Connection, upload: Upload) -> Document | None:
    """Return where the bytes of a document are, or None if its sender has it no more."""
    cursor = await connection.execute(
        "SELECT id, tenant_role, size, in_file FROM blobs_blob"
        " WHERE tenant_role = %s AND digest = %s AND complete",
        (upload.tenant_role, upload.digest),
    )
    row = await cursor.fetchone()
    return None if row is None else Document(*row)


async def chunks(
    connection: Connection, document: Document, *, first: int, most: int
) -> list[bytes]:
    """Return some sealed chunks of a document in order."""
    cursor = await connection.execute(
        "SELECT data FROM blobs_blobchunk WHERE blob_id = %s AND number >= %s"
        " ORDER BY number LIMIT %s",
        (document.id, first, most),
        binary=True,
    )
    return [row[0] for row in await cursor.fetchall()]


async def note_upload(connection: Connection, upload: Upload, *, reason: str) -> None:
    """Note for the sender why the peer does not take a document of a letter for now."""
    await connection.execute(
        "UPDATE outbox_letter SET deferred_for = %s"
        " WHERE id = %s AND coalesce(lseq, -1) = -1 AND held",
        (reason, upload.message_id),
    )


async def finish_upload(connection: Connection, upload: Upload) -> None:
    """Note that the peer has a document; a transaction.

    If it was the last, its letter may go, unless the peer has told it to come later.
    """
    async with connection.transaction():
        await connection.execute(
            "UPDATE outbox_upload SET done_at = clock_timestamp()"
            " WHERE message_id = %s AND digest = %s",
            (upload.message_id, upload.digest),
        )
        await connection.execute(
            "UPDATE outbox_letter SET deferred_for = ''"
            " WHERE id = %s AND not_before IS NULL AND deferred_for <> ''",
            (upload.message_id,),
        )
        await connection.execute(
            "UPDATE outbox_letter SET held = false, not_before = NULL"
            " WHERE id = %(id)s AND coalesce(lseq, -1) = -1 AND held"
            "   AND (not_before IS NULL OR not_before <= statement_timestamp())"
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
        # It may have ended meanwhile: nobody dies twice.
        cursor = await connection.execute(
            "SELECT FROM outbox_letter WHERE id = %s AND coalesce(lseq, -1) = -1 FOR UPDATE",
            (upload.message_id,),
        )
        if cursor.rowcount:
            await bury(connection, [Refused(upload.message_id, reason)], state="refused")
            await connection.execute(
                "UPDATE outbox_letter SET lseq = 0 WHERE id = %s", (upload.message_id,)
            )

"""Writes of documents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from django.db import transaction

from centre.audit import services as audit
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor
from federation.blobs import services as blobs
from federation.blobs.errors import BlobQuotaExceeded, BlobTooLarge, FilesFull, FilesUnusable
from federation.blobs.sizes import MAX_DOCUMENT_BYTES
from tenants.documents import kinds, selectors
from tenants.documents.errors import DocumentNotFound, DocumentRefused, DocumentSent
from tenants.documents.models import Document
from tenants.documents.selectors import entry

#: A message takes no more (`federation.protocol.limits.MAX_BLOBS`).
MAX_DOCUMENTS_OF_A_MESSAGE = 64
#: A case that has more is no case but an archive.
MAX_DOCUMENTS_OF_A_CASE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A document that came with a message."""

    name: str
    media_type: str
    size: int
    digest: bytes
    sealed_size: int
    key: bytes


def attach(
    *, case_id: UUID, reference: str, name: str, chunks: Iterable[bytes], by: Actor
) -> Document:
    """Store a document for a case, sealed; it goes with one of the next messages.

    `reference` is that of the case, for the trail. The type is judged by the content, never by the
    name. Raises `DocumentRefused`.
    """
    pieces = iter(chunks)
    start = _start(pieces)
    kind = kinds.media_type(start)
    if not start:
        raise DocumentRefused("Die Datei ist leer.")
    if kind is None:
        raise DocumentRefused
    with transaction.atomic():
        if Document.objects.filter(case_id=case_id).count() >= MAX_DOCUMENTS_OF_A_CASE:
            raise DocumentRefused(
                f"Der Vorgang hat schon {MAX_DOCUMENTS_OF_A_CASE} Dokumente; mehr gehen nicht."
            )
        safe = kinds.safe_name(name, kind)
        try:
            stored = blobs.store(chunks=chain([start], pieces), name=safe)
        except BlobTooLarge as error:
            limit = MAX_DOCUMENT_BYTES // 1_000_000
            raise DocumentRefused(f"„{safe}“ ist größer als {limit} MB.") from error
        except (BlobQuotaExceeded, FilesFull) as error:
            raise DocumentRefused(
                "Der Speicher für Dokumente ist voll. Wenden Sie sich an Ihr Rechenzentrum."
            ) from error
        except FilesUnusable as error:
            raise DocumentRefused(
                "Dokumente können zurzeit nicht gespeichert werden. Versuchen Sie es später noch "
                "einmal; bleibt es dabei, wenden Sie sich an Ihr Rechenzentrum."
            ) from error
        document = Document.objects.create(
            case_id=case_id,
            name=safe,
            media_type=kind,
            size=stored.size,
            digest=stored.digest,
            sealed_size=stored.sealed_size,
            key=stored.key,
            created_by=by.name,
            created_at=clock.now(),
        )
        audit.record(events=[entry(AuditEvent.DOCUMENT_FILE_ADDED, document, reference, by)])
    return document


def remove(*, document_id: UUID, reference: str, by: Actor) -> None:
    """Take a document out of the case of this reference again, as long as it has not been sent."""
    with transaction.atomic():
        document = Document.objects.select_for_update().filter(id=document_id).first()
        if document is None:
            raise DocumentNotFound
        if document.message_id is not None:
            raise DocumentSent
        removed = entry(AuditEvent.DOCUMENT_FILE_REMOVED, document, reference, by)
        document.delete()
        _delete_sealed([document])
        audit.record(events=[removed])


def mark_sent(*, documents: Sequence[Document], message_id: UUID) -> None:
    """Bind documents to the message that they go with. Part of the caller's transaction."""
    if len(documents) > MAX_DOCUMENTS_OF_A_MESSAGE:
        raise DocumentRefused(
            f"Mit einer Nachricht gehen höchstens {MAX_DOCUMENTS_OF_A_MESSAGE} Dokumente."
        )
    ids = [document.id for document in documents]
    sent = Document.objects.filter(id__in=ids, message_id=None).update(message_id=message_id)
    if sent != len(ids):  # somebody has removed or sent one since it was chosen
        raise DocumentNotFound


def keep_received(
    *, case_id: UUID, message_id: UUID, documents: Sequence[Received], sender: str
) -> None:
    """Enter documents that came with a message. Part of the caller's transaction."""
    Document.objects.bulk_create(
        Document(
            case_id=case_id,
            message_id=message_id,
            received=True,
            name=kinds.safe_name(each.name, each.media_type),
            media_type=each.media_type if each.media_type in kinds.EXTENSIONS else _UNKNOWN_TYPE,
            size=each.size,
            digest=each.digest,
            sealed_size=each.sealed_size,
            key=each.key,
            created_by=sender,
            created_at=clock.now(),
        )
        for each in documents
    )


def discard(*, case_id: UUID) -> None:
    """Forget the documents of a draft that is thrown away. Part of the caller's transaction."""
    documents = list(selectors.of_case(case_id).select_for_update())
    selectors.of_case(case_id).delete()
    _delete_sealed(documents)


_UNKNOWN_TYPE = "application/octet-stream"


def _delete_sealed(documents: Sequence[Document]) -> None:
    """Delete the bytes of documents that are gone, unless somebody still needs them.

    A letter that was posted needs them until it ends, and one to ourselves has them in common.
    """
    gone = {bytes(each.digest) for each in documents if each.message_id is None}
    named = Document.objects.filter(digest__in=list(gone)).values_list("digest", flat=True)
    blobs.delete(digests=gone - {bytes(each) for each in named})


def _start(pieces: Iterator[bytes]) -> bytes:
    start = b""
    while len(start) < kinds.SNIFFED_BYTES and (piece := next(pieces, None)) is not None:
        start += piece
    return start

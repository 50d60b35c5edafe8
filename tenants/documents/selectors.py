"""Reads of documents."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from federation.blobs import selectors as blobs
from tenants.documents.errors import DocumentNotFound
from tenants.documents.models import Document


def document(*, document_id: UUID) -> Document:
    """Return what is known of a document; raise `DocumentNotFound`."""
    found = Document.objects.filter(id=document_id).first()
    if found is None:
        raise DocumentNotFound
    return found


def of_case(case_id: UUID) -> QuerySet[Document]:
    """Return the documents of a case, oldest first."""
    return Document.objects.filter(case_id=case_id).order_by("created_at", "id")


def unsent(*, case_id: UUID, document_ids: Sequence[UUID]) -> list[Document]:
    """Return these documents of a case in this order; raise if one is missing or already sent."""
    found = {
        each.id: each
        for each in Document.objects.filter(
            case_id=case_id, id__in=document_ids, message_id=None, received=False
        )
    }
    if set(found) != set(document_ids):
        raise DocumentNotFound
    return [found[each] for each in dict.fromkeys(document_ids)]


def read(*, document_id: UUID, by: Actor) -> tuple[Document, Iterator[bytes]]:
    """Return a document and its plain bytes, piece by piece, and note the reading in the trail.

    Raises `DocumentNotFound`, and `BlobMissing` if its bytes are not here.
    """
    found = document(document_id=document_id)
    pieces = blobs.read(digest=bytes(found.digest), key=bytes(found.key))
    with transaction.atomic():
        entry = Entry(
            event=AuditEvent.DOCUMENT_FILE_READ,
            by=by,
            subject=str(found.case_id),
            detail={"document": str(found.id)},
        )
        audit.record(events=[entry])
    return found, pieces

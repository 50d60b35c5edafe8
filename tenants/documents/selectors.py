"""Reads of documents."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.kernel.pages import Page
from centre.keys.errors import BlobBroken
from federation.blobs import selectors as blobs
from federation.blobs.errors import BlobMissing, FilesUnusable
from tenants.documents.errors import DocumentBroken, DocumentNotFound, DocumentUnavailable
from tenants.documents.models import Document

#: So many stand on the page of their case.
LISTED: Final = 50


def document(*, document_id: UUID) -> Document:
    """Return what is known of a document; raise `DocumentNotFound`."""
    found = Document.objects.filter(id=document_id).first()
    if found is None:
        raise DocumentNotFound
    return found


def of_case(case_id: UUID) -> QuerySet[Document]:
    """Return all documents of a case, oldest first."""
    return Document.objects.filter(case_id=case_id).order_by("created_at", "id")


def newest_of_case(case_id: UUID, *, before: UUID | None = None) -> Page[Document]:
    """Return the newest documents of a case, or of those before another one, oldest first."""
    found = of_case(case_id)
    if before and (mark := found.filter(id=before).first()):
        earlier = Q(created_at__lt=mark.created_at)
        found = found.filter(earlier | Q(created_at=mark.created_at, id__lt=mark.id))
    rows = list(found.order_by("-created_at", "-id")[: LISTED + 1])
    return Page.cut(rows, LISTED, lambda row: str(row.id)).turned()


def unsent_of_case(case_id: UUID) -> tuple[Document, ...]:
    """Return what has been added to a case here and gone with no message, oldest first."""
    return tuple(of_case(case_id).filter(message_id=None, received=False))


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


def read(*, document_id: UUID, reference: str, by: Actor) -> tuple[Document, Iterator[bytes]]:
    """Return a document and its plain bytes, piece by piece, and note the reading in the trail.

    `reference` is that of its case. Raises `DocumentNotFound`, `DocumentUnavailable` if its bytes
    are not here, and `DocumentBroken` if the first of them were changed.
    """
    found = document(document_id=document_id)
    try:
        pieces = blobs.read(digest=bytes(found.digest), key=bytes(found.key))
    except (BlobMissing, FilesUnusable) as error:
        raise DocumentUnavailable from error
    except BlobBroken as error:
        raise DocumentBroken from error
    with transaction.atomic():
        audit.record(events=[entry(AuditEvent.DOCUMENT_FILE_READ, found, reference, by)])
    return found, pieces


def entry(event: AuditEvent, document: Document, reference: str, by: Actor) -> Entry:
    """Return what the trail is told about a document: under its case, as all that happens there."""
    detail = {"case": str(document.case_id), "document": str(document.id)}
    return Entry(event=event, by=by, subject=reference, detail=detail)

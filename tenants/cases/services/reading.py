"""Finding the rows that a service works on."""

from collections.abc import Sequence
from uuid import UUID

from tenants.cases.errors import CaseChanged, CaseNotFound
from tenants.cases.models import Case
from tenants.cases.payloads import Attachment
from tenants.documents import selectors as documents
from tenants.documents import services as document_services


def locked(case_id: UUID, version: int | None = None) -> Case:
    """Return a case, locked until the end of the transaction.

    Raises `CaseNotFound`, and `CaseChanged` if somebody else has written since `version` was seen.
    """
    case = Case.objects.select_for_update().filter(id=case_id).first()
    if case is None:
        raise CaseNotFound
    if version is not None and case.version != version:
        raise CaseChanged
    return case


def attached(
    case: Case, document_ids: Sequence[UUID], *, message_id: UUID
) -> tuple[Attachment, ...]:
    """Bind documents of a case to a message and return how the message names them."""
    if not document_ids:
        return ()
    found = documents.unsent(case_id=case.id, document_ids=document_ids)
    document_services.mark_sent(documents=found, message_id=message_id)
    return tuple(
        Attachment(
            name=each.name,
            media_type=each.media_type,
            size=each.size,
            digest=bytes(each.digest),
            sealed_size=each.sealed_size,
            key=bytes(each.key),
        )
        for each in found
    )

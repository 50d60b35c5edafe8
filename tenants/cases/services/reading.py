"""Finding the rows that a service works on."""

from collections.abc import Collection, Sequence
from uuid import UUID

from centre.directory import selectors as directory
from centre.kernel.actors import Actor, ActorKind
from centre.tenancy import binary
from federation.protocol.messages import InboundMessage
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


def locked_many(case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Return the cases that exist, locked until the end of the transaction."""
    # Always in the same order, so that two transactions never wait for each other.
    rest = "WHERE id = ANY(%b) ORDER BY id FOR UPDATE"
    return {case.id: case for case in binary.select(Case, rest, [list(case_ids)])}


def peer(message: InboundMessage) -> Actor:
    """Return who acts where a message of another authority takes effect."""
    name = authority_name(message.sender) or str(message.sender)
    return Actor(kind=ActorKind.PEER, id=str(message.sender), name=name)


def authority_name(authority_id: UUID | None) -> str:
    """Return the name of an authority as the directory tells it, or an empty text."""
    known = directory.present()
    found = known.authority(authority_id) if known and authority_id else None
    return found.name[:200] if found else ""

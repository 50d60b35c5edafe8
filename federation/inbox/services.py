"""What an operator decides about a message that could not be applied. In the tenant's scope."""

from typing import Final
from uuid import UUID

from django.db import transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.kernel.errors import AmtsbrueckeError
from federation.inbox import letters, locks, selectors, states
from federation.inbox.models import InboundMessage, InboundState
from federation.inbox.ordering import FIRST_SEQUENCE

_DISCARDED: Final = "Das Rechenzentrum des Empfängers hat die Nachricht verworfen."


class NotParked(AmtsbrueckeError):
    """This message does not wait for a decision."""

    reason = "NOT_PARKED"


@transaction.atomic
def retry(*, origin: str, message_id: UUID, by: Actor) -> None:
    """Try a parked message again at once, for example after a fault of ours was mended."""
    row = _parked(origin, message_id)
    states.revive(row)
    event = AuditEvent.INBOX_MESSAGE_RETRIED
    audit.record(events=[entry(event, row, by, reason=row.reason)])


@transaction.atomic
def discard(*, origin: str, message_id: UUID, why: str, by: Actor) -> None:
    """Never apply a parked message; let what waited for it go on without it, and tell its sender.

    The envelope stays, as evidence of what had been received.
    """
    row = _parked(origin, message_id)
    states.discard(row)
    # Not the reason why it was parked: that may be the name of a fault of ours.
    letters.answer_with_failure(row, reason="DISCARDED", text=_DISCARDED)
    thread = (row.case_id, row.sender)
    reached = selectors.positions([row.case_id]).get(thread, FIRST_SEQUENCE)
    if row.case_sequence == reached:
        states.advance({thread: reached + 1})
    event = AuditEvent.INBOX_MESSAGE_DISCARDED
    audit.record(events=[entry(event, row, by, reason=row.reason, why=why[:200])])


def _parked(origin: str, message_id: UUID) -> InboundMessage:
    locks.lock()
    row = (
        InboundMessage.objects.filter(pk=(message_id, origin), state=InboundState.PARKED)
        .defer("envelope")
        .first()
    )
    if row is None:
        raise NotParked(f"Message {message_id} of {origin} does not wait for a decision.")
    return row


def entry(event: AuditEvent, row: InboundMessage, by: Actor, **detail: str) -> Entry:
    """Return what the trail is told of a decision about a message."""
    said = {"message": str(row.id), **detail}
    return Entry(event=event, by=by, subject=str(row.case_id), detail=said)

"""Moves inbound messages from state to state. Inside the caller's transaction and tenant."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from centre.kernel import clock
from centre.tenancy.context import require_tenant
from federation.inbox.models import CasePosition, InboundMessage, InboundState
from federation.inbox.ordering import Thread
from federation.outbox.models import Alarm

type Key = tuple[UUID, str]

#: Code of the alarm for a message that a person has to decide upon.
MESSAGE_PARKED: Final = "MESSAGE_PARKED"


def pending(key: Key) -> InboundMessage | None:
    """Return the message if it still waits to be applied, locked until commit."""
    return (
        InboundMessage.objects.filter(pk=key, state=InboundState.PENDING)
        .select_for_update(of=("self",))
        .first()
    )


def mark_applied(rows: Sequence[InboundMessage], *, positions: Mapping[Thread, int]) -> None:
    """Note that the rows have had their effect, and how far their threads have come by it."""
    if rows:
        InboundMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=InboundState.APPLIED, settled_at=clock.now(), reason="", detail=""
        )
    for thread, next_sequence in positions.items():
        advance(thread, next_sequence)


def advance(thread: Thread, next_sequence: int) -> None:
    """Let a thread go on at a number, and try the message that waited for it, if one did."""
    case_id, sender = thread
    CasePosition.objects.bulk_create(
        [CasePosition(case_id=case_id, sender=sender, next_sequence=next_sequence)],
        update_conflicts=True,
        unique_fields=["tenant_role", "case_id", "sender"],
        update_fields=["next_sequence"],
    )
    InboundMessage.objects.filter(
        tenant_role=require_tenant().role,
        state=InboundState.HELD,
        case_id=case_id,
        sender=sender,
        case_sequence=next_sequence,
    ).update(state=InboundState.PENDING, due_at=clock.now())


def mark_held(rows: Sequence[InboundMessage]) -> None:
    """Let the rows wait until the message before them has been applied."""
    fresh = [row.pk for row in rows if row.state != InboundState.HELD]
    if fresh:
        InboundMessage.objects.filter(pk__in=fresh).update(state=InboundState.HELD)


def postpone(row: InboundMessage, *, reason: str, detail: str, delay: timedelta) -> None:
    """Try the row again later."""
    _update(row, reason, detail, attempts=row.attempts + 1, due_at=clock.now() + delay)


def park(row: InboundMessage, *, reason: str, detail: str) -> None:
    """Set the row aside until a person decides, and tell the operators."""
    _update(row, reason, detail, attempts=row.attempts + 1, state=InboundState.PARKED)
    Alarm.objects.create(
        code=MESSAGE_PARKED,
        link=row.link,
        tenant_role=row.tenant_role,
        message_id=row.id,
        detail=f"{reason}: {detail}"[:500],
        raised_at=clock.now(),
    )


def revive(row: InboundMessage) -> None:
    """Let a parked row be tried again, as if it had just come."""
    _update(row, "", "", state=InboundState.PENDING, attempts=0, due_at=clock.now())


def discard(row: InboundMessage) -> None:
    """End a parked row without an effect; its reason stays."""
    InboundMessage.objects.filter(pk=row.pk).update(
        state=InboundState.DISCARDED, settled_at=clock.now()
    )


def _update(row: InboundMessage, reason: str, detail: str, **values: object) -> None:
    InboundMessage.objects.filter(pk=row.pk).update(
        reason=reason[:60], detail=detail[:500], **values
    )

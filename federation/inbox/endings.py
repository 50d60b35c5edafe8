"""What becomes of messages whose municipality is about to be deleted.

Their senders have a receipt for them, so they must learn that nothing will come of it.
"""

from typing import Final

from django.db import transaction

from centre.audit import services as audit
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.kernel.counting import counted
from centre.registry.models import Municipality
from centre.tenancy.context import require_tenant, tenant_scope
from federation.inbox import letters, locks, states
from federation.inbox.models import InboundMessage, InboundState
from federation.inbox.services import entry
from federation.protocol.reasons import Reason

_DELETED: Final = Reason.RECIPIENT_DELETED
_BATCH: Final = 256
_OPEN: Final = (InboundState.PENDING, InboundState.HELD, InboundState.PARKED)


def what_was_never_applied() -> str:
    """Return a sentence for an operator about messages that wait here, or ""."""
    waiting = InboundMessage.objects.filter(
        tenant_role=require_tenant().role, state__in=_OPEN
    ).count()
    if not waiting:
        return ""
    return (
        f"{counted(waiting, 'message has', 'messages have')} come in and not been applied;"
        f" {'its sender' if waiting == 1 else 'their senders'} will be told."
    )


def discard_all(*, municipality: Municipality, by: Actor) -> None:
    """Discard what was received and never applied, and tell each sender so."""
    with tenant_scope(municipality) as tenant:
        while True:
            with transaction.atomic():
                locks.lock()
                found = InboundMessage.objects.filter(tenant_role=tenant.role, state__in=_OPEN)
                rows = list(found.defer("envelope").order_by("pk")[:_BATCH])
                for row in rows:
                    states.discard(row)
                    letters.answer_with_failure(row, reason=_DELETED.value, text=_DELETED.german)
                told = [
                    entry(AuditEvent.INBOX_MESSAGE_DISCARDED, row, by, reason=_DELETED.value)
                    for row in rows
                ]
                audit.record(events=told)
            if not rows:
                return

"""Moves inbound messages from state to state. Inside the caller's transaction and tenant."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from centre.kernel import clock
from centre.tenancy import binary
from centre.tenancy.context import require_tenant
from federation.inbox.claims import Claimed
from federation.inbox.models import InboundMessage, InboundState
from federation.inbox.ordering import Thread
from federation.outbox.models import Alarm

#: Code of the alarm for a message that a person has to decide upon.
MESSAGE_PARKED: Final = "MESSAGE_PARKED"

_APPLY: Final = """
UPDATE inbox_inboundmessage AS row
   SET state = 'applied', settled_at = %(now)b, reason = '', detail = ''
  FROM unnest(%(ids)b::uuid[], %(origins)b::text[]) AS item (id, origin)
 WHERE row.id = item.id AND row.origin = item.origin
"""
_HOLD: Final = """
UPDATE inbox_inboundmessage AS row SET state = 'held'
  FROM unnest(%(ids)b::uuid[], %(origins)b::text[]) AS item (id, origin)
 WHERE row.id = item.id AND row.origin = item.origin
"""
_ADVANCE: Final = """
INSERT INTO inbox_caseposition (case_id, sender, next_sequence)
SELECT * FROM unnest(%(cases)b::uuid[], %(senders)b::uuid[], %(numbers)b::bigint[])
    ON CONFLICT (tenant_role, case_id, sender) DO UPDATE SET next_sequence = excluded.next_sequence
"""
_RELEASE: Final = """
UPDATE inbox_inboundmessage AS row SET state = 'pending', due_at = %(now)b
  FROM unnest(%(cases)b::uuid[], %(senders)b::uuid[], %(numbers)b::bigint[])
       AS item (case_id, sender, number)
 WHERE row.tenant_role = %(role)b AND row.state = 'held' AND row.case_id = item.case_id
   AND row.sender = item.sender AND row.case_sequence = item.number
"""


def mark_applied(rows: Sequence[Claimed], *, positions: Mapping[Thread, int]) -> None:
    """Note that the rows have had their effect, and how far their threads have come by it."""
    if rows:
        binary.run(_APPLY, {"now": clock.now(), **_keys(rows)})
    advance(positions)


def advance(positions: Mapping[Thread, int]) -> None:
    """Let threads go on at these numbers, and try the messages that waited for just them."""
    if not positions:
        return
    threads = {
        "cases": [case_id for case_id, _ in positions],
        "senders": [sender for _, sender in positions],
        "numbers": list(positions.values()),
    }
    binary.run(_ADVANCE, threads)
    binary.run(_RELEASE, {"now": clock.now(), "role": require_tenant().role, **threads})


def mark_held(rows: Sequence[Claimed]) -> None:
    """Let the rows wait until the message before them has been applied."""
    if fresh := [row for row in rows if row.state != InboundState.HELD]:
        binary.run(_HOLD, _keys(fresh))


def _keys(rows: Sequence[Claimed]) -> dict[str, object]:
    return {"ids": [row.id for row in rows], "origins": [row.origin for row in rows]}


def postpone(row: Claimed, *, reason: str, detail: str, delay: timedelta) -> None:
    """Try the row again later."""
    _update(row, reason, detail, attempts=row.attempts + 1, due_at=clock.now() + delay)


def park(row: Claimed, *, reason: str, detail: str) -> None:
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


def _update(row: InboundMessage | Claimed, reason: str, detail: str, **values: object) -> None:
    InboundMessage.objects.filter(pk=(row.id, row.origin)).update(
        reason=reason[:60], detail=detail[:500], **values
    )

"""Messages that wait for an earlier one of their case, and for how long. All tenants.

A gap closes by itself when the sender's link catches up, or when its operator cancels a dead
letter and a void takes its place. One that stays for an hour needs a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from centre.kernel import clock
from federation.outbox.models import Alarm

#: How long a message may wait before somebody is told.
PATIENCE: Final = timedelta(hours=1)
#: Code of the alarm.
MESSAGE_HELD_LONG: Final = "MESSAGE_HELD_LONG"
_AT_ONCE: Final = 200

# The first message after each gap; `inbox_waiting` has all rows that this reads.
_GAPS = """
SELECT first.tenant_role, first.id, first.link, first.case_sequence, first.received_at
  FROM (SELECT DISTINCT ON (tenant_role, case_id, sender)
               tenant_role, id, link, case_sequence, received_at
          FROM inbox_inboundmessage WHERE state = 'held'
         ORDER BY tenant_role, case_id, sender, case_sequence) AS first
 WHERE first.received_at < %s
   AND NOT EXISTS (SELECT FROM outbox_alarm WHERE code = %s AND message_id = first.id)
 ORDER BY first.received_at LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class _Gap:
    tenant_role: str
    message_id: UUID
    link: str
    case_sequence: int
    received_at: datetime


def raise_alarms() -> int:
    """Raise an alarm for each gap that is older than `PATIENCE`, once; return how many."""
    now = clock.now()
    with transaction.atomic():
        found = _gaps(now - PATIENCE)
        Alarm.objects.bulk_create(
            Alarm(
                code=MESSAGE_HELD_LONG,
                link=gap.link,
                tenant_role=gap.tenant_role,
                message_id=gap.message_id,
                detail=f"number {gap.case_sequence} of its case has waited for an earlier one"
                f" since {gap.received_at:%Y-%m-%d %H:%M} UTC",
                raised_at=now,
            )
            for gap in found
        )
    return len(found)


def _gaps(before: datetime) -> list[_Gap]:
    with connection.cursor() as cursor:
        cursor.execute(_GAPS, [before, MESSAGE_HELD_LONG, _AT_ONCE])
        return [_Gap(*row) for row in cursor.fetchall()]

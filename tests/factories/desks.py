"""A desk that messages come to: it writes down what it was given, and fails on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import require_tenant, tenant_scope
from federation.outbox.models import Alarm
from federation.protocol.messages import InboundMessage as Message
from federation.protocol.messages import OutboundMessage
from tests.factories.letters import Office

SENDER = Office("nord")
RECIPIENT = Office("krz")

type Deliver = Callable[..., UUID]


@dataclass
class Desk:
    """What was given to the handler `handle`, and what it shall do."""

    applied: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    hook: Callable[[Message], None] | None = None
    posted: list[OutboundMessage] = field(default_factory=list)
    #: What came together, in each call.
    calls: list[list[str]] = field(default_factory=list)

    def handle(self, *, message: Message) -> None:
        assert connection.in_atomic_block
        content = message.payload.decode()
        if self.hook:
            self.hook(message)
        if fault := self.faults.get(content):
            raise fault
        # An effect in the same transaction: it must vanish when the transaction does.
        Alarm.objects.create(
            code="EFFECT", link="", detail=content, raised_at=clock.now(), message_id=new_id()
        )
        self.applied.append((require_tenant().slug, content))

    @staticmethod
    def effects(tenant: Municipality) -> list[str]:
        with tenant_scope(tenant):
            rows = Alarm.objects.filter(code="EFFECT").order_by("id")
            return list(rows.values_list("detail", flat=True))


DESK = Desk()


def handle(*, messages: Sequence[Message]) -> list[Entry]:
    """Note that messages came, as a handler of settings does."""
    DESK.calls.append([message.payload.decode() for message in messages])
    for message in messages:
        DESK.handle(message=message)
    return [
        Entry(
            event=AuditEvent.CASE_MESSAGE_RECEIVED,
            by=system("tests"),
            subject=str(message.message_id),
            detail={},
        )
        for message in messages
    ]

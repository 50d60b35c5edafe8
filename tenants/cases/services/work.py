"""What one transaction writes, collected, so that many cases cost as few statements as one.

A service opens a transaction, lets `Work` collect, and calls `finish()` last. That keeps one order
everywhere: cases, log, timeline, outbox, and the trail at the very end, since its lock is shared
by the whole municipality.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock, trace
from centre.kernel.actors import Actor, ActorKind
from centre.kernel.ids import new_id
from centre.tenancy import binary
from federation.outbox import services as outbox
from federation.protocol.messages import BlobRef, InboundMessage, MessageKind, OutboundMessage
from tenants.cases import deadlines, lifecycle, payloads, wire
from tenants.cases.errors import StepNotPossible
from tenants.cases.graph import Kind, Side, Verb
from tenants.cases.lifecycle import Standing
from tenants.cases.models import (
    Case,
    CaseEvent,
    CaseMessage,
    Direction,
    Outcome,
    RequestContent,
)
from tenants.cases.payloads import Payload
from tenants.cases.services.rows import ContentRow, EventRow, LogRow

#: How long the federation tries to deliver a message (`CASE_MESSAGE_DAYS`).
MESSAGE_DAYS: Final = 14
SCHEMA_VERSION: Final = wire.SCHEMA_VERSION

_FIXED: Final = frozenset({"id", "reference", "side", "created_by", "created_at"})
_CHANGING: Final = [
    field.attname
    for field in Case._meta.concrete_fields  # noqa: SLF001 -- Django's documented way to ask
    if field.attname not in _FIXED
]
_OUTCOME: Final = ("outcome", "reason", "outcome_at")


#: Named in the timeline for what no person did: a request was entered, a message was lost.
AUTOMATIC = Actor(kind=ActorKind.SYSTEM, id="registration", name="automatisch")


class Work:
    """Collects writes of one actor after the other; `finish()` makes them."""

    def __init__(self, *, by: Actor) -> None:
        self.by = by
        self.now: datetime = clock.now()
        self._new: dict[UUID, Case] = {}
        self._contents: dict[UUID, ContentRow] = {}
        self._rewritten: dict[UUID, ContentRow] = {}
        self._changed: dict[UUID, Case] = {}
        self._bumped: set[UUID] = set()
        self._log: list[LogRow] = []
        self._outcomes: dict[UUID, CaseMessage] = {}
        self._events: list[EventRow] = []
        self._outbound: list[OutboundMessage] = []
        self._entries: list[Entry] = []
        # What is sent belongs to the work at hand; an answer, to the message that it answers.
        self._trace = trace.here()
        self._traces: dict[UUID, str] = {}

    def begin(self, *, by: Actor) -> None:
        """Go on with what another actor does, or the same one with something else."""
        self.by = by
        self._bumped.clear()

    # -- what may happen to a case ------------------------------------------------------------

    def create(self, case: Case, record: bytes) -> None:
        """Add a case that is new here, and what its request says."""
        self._new[case.id] = case
        self._contents[case.id] = ContentRow(case.id, record)

    def rewrite(self, case: Case, record: bytes) -> None:
        """Let a request say something else than before."""
        target = self._contents if case.id in self._new else self._rewritten
        target[case.id] = ContentRow(case.id, record)

    def step(
        self,
        case: Case,
        verb: Verb,
        payload: Payload | None = None,
        *,
        text: str = "",
        message_id: UUID | None = None,
    ) -> None:
        """Take a step of the life cycle and send what it sends. Raises `StepNotPossible`."""
        row = lifecycle.step(verb)
        message_id = message_id or new_id()
        standing = lifecycle.take(case.standing, verb, query_id=message_id)
        if row.sends and payload is not None:
            self._send(case, message_id, row.sends, payload)
        self.change(case, standing)
        self.tell(case, what=verb, label=row.label, text=text, message_id=message_id)

    def register(self, case: Case, payload: payloads.Registration) -> None:
        """Confirm the entry of a case that is new at the requested side."""
        message_id = new_id()
        row = lifecycle.step(Verb.REGISTER)
        lifecycle.take(Standing(side=row.side), Verb.REGISTER)
        self._send(case, message_id, Kind.REGISTRATION, payload)
        self.tell(case, what=row.verb, label=row.label, message_id=message_id, by=AUTOMATIC)
        self.audit(AuditEvent.CASE_REQUEST_REGISTERED, case, by=AUTOMATIC)

    def receive(self, case: Case, message: InboundMessage, kind: Kind, payload: Payload) -> None:
        """Let a message of the other side take its effect. Raises `MessageUnexpected`."""
        query_id = payload.query_id if isinstance(payload, payloads.Answer) else None
        standing = lifecycle.receive(
            case.standing, kind, message_id=message.message_id, query_id=query_id
        )
        self.log_received(case, message)
        self.change(case, standing)

    def change(self, case: Case, standing: Standing) -> None:
        """Put a case into another standing; the clock of its state starts anew."""
        if standing.state is None:
            raise StepNotPossible
        if standing.state != case.state:
            case.state_since = self.now
            case.due_at = deadlines.due_at(standing.side, standing.state, since=self.now)
        if standing.state in lifecycle.FINAL[standing.side]:
            case.closed_at = self.now
        case.state, case.query_id = standing.state, standing.query_id
        self.touch(case)

    def touch(self, case: Case, *, quietly: bool = False) -> None:
        """Write a case again. `quietly`: nothing that a clerk decides upon has changed."""
        if not quietly and case.id not in self._bumped:
            self._bumped.add(case.id)
            case.version += 1
        if case.id not in self._new:
            self._changed[case.id] = case

    def tell(
        self,
        case: Case,
        *,
        what: str,
        label: str,
        text: str = "",
        message_id: UUID | None = None,
        theirs: bool = False,
        by: Actor | None = None,
    ) -> None:
        """Add a line to the timeline."""
        side = Side(case.side)
        self._events.append(
            EventRow(
                case_id=case.id,
                at=self.now,
                side=side.other if theirs else side,
                by=(by or self.by).name[:200],
                what=what,
                label=label,
                text=text,
                message_id=message_id,
            )
        )

    def audit(
        self, event: AuditEvent, case: Case, *, by: Actor | None = None, **detail: str
    ) -> None:
        """Add an entry to the trail, without content."""
        told = {"case": str(case.id), **{key: value for key, value in detail.items() if value}}
        entry = Entry(event=event, by=by or self.by, subject=case.reference, detail=told)
        self._entries.append(entry)

    def outcome(self, message: CaseMessage, outcome: Outcome, *, reason: str = "") -> None:
        """Note what became of a message of ours."""
        message.outcome, message.reason, message.outcome_at = outcome, reason[:63], self.now
        self._outcomes[message.id] = message

    def repeat(self, case: Case, message: CaseMessage) -> None:
        """Send what a message of ours says in a new letter, since its own got nowhere."""
        kind, message_id = Kind(message.kind), new_id()
        payload = wire.read(kind, message.schema_version, bytes(message.payload))
        self._send(case, message_id, kind, payload, repeats=message.id)
        self.outcome(message, Outcome.CANCELLED, reason=message.reason)
        if case.query_id == message.id:
            case.query_id = message_id

    # -- the log ------------------------------------------------------------------------------

    def _send(
        self,
        case: Case,
        message_id: UUID,
        kind: Kind,
        payload: Payload,
        *,
        repeats: UUID | None = None,
    ) -> None:
        if case.other_authority is None:
            raise StepNotPossible("Die andere Behörde fehlt.")
        content = wire.write(payload)
        case.out_sequence += 1
        days = getattr(settings, "CASE_MESSAGE_DAYS", MESSAGE_DAYS)
        self._outbound.append(
            OutboundMessage(
                message_id=message_id,
                recipient=case.other_authority,
                case_id=case.id,
                case_sequence=case.out_sequence,
                kind=MessageKind(kind),
                schema_version=SCHEMA_VERSION,
                payload=content,
                expires_at=self.now + timedelta(days=days),
                traceparent=trace.following(self._traces.get(case.id, self._trace)),
                blobs=tuple(
                    BlobRef(digest=each.digest.hex(), size=each.sealed_size)
                    for each in payloads.attachments(payload)
                ),
            )
        )
        self._log.append(
            LogRow(
                id=message_id,
                case_id=case.id,
                number=self._next_number(case),
                direction=Direction.OUT,
                kind=kind,
                schema_version=SCHEMA_VERSION,
                sequence=case.out_sequence,
                other_authority=case.other_authority,
                payload=content,
                created_at=self.now,
                outcome=Outcome.WAITING,
                repeats=repeats,
            )
        )

    def log_received(self, case: Case, message: InboundMessage) -> None:
        """Keep a message of the other side with its exact bytes."""
        self._traces[case.id] = message.traceparent
        self._log.append(
            LogRow(
                id=message.message_id,
                case_id=case.id,
                number=self._next_number(case),
                direction=Direction.IN,
                kind=message.kind.value,
                schema_version=message.schema_version,
                sequence=message.case_sequence,
                other_authority=message.sender,
                payload=message.payload,
                created_at=message.created_at,
                outcome=Outcome.RECEIVED,
                outcome_at=message.received_at,
            )
        )

    @staticmethod
    def _next_number(case: Case) -> int:
        case.log_length += 1
        return case.log_length

    # -- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write everything. Must be the last thing in the transaction."""
        audit.record(events=self.finish_without_trail())

    def finish_without_trail(self) -> Sequence[Entry]:
        """Write everything but the trail; return its entries for the caller to record last."""
        binary.insert(Case, self._new.values())
        binary.insert(RequestContent, self._contents.values())
        binary.update(Case, self._changed.values(), _CHANGING)
        binary.update(RequestContent, self._rewritten.values(), ["record"])
        binary.insert(CaseMessage, self._log)
        binary.update(CaseMessage, self._outcomes.values(), _OUTCOME)
        binary.insert(CaseEvent, self._events)
        outbox.post(messages=self._outbound)
        return self._entries

"""Two towns that know each other, and a postman who carries their messages by hand."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.directory import selectors as directory
from centre.directory.interface import Directory
from centre.directory.records import AuthorityRecord, CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.outbox.states import DeliveryState, Outcome
from federation.protocol.messages import BlobRef, InboundMessage, MessageKind
from federation.protocol.notices import ProcessingFailureNotice
from federation.wire.notices import write_processing_failure
from tenants.cases import outcomes, payloads, selectors, services, wire
from tenants.cases.graph import Kind, Side
from tenants.cases.models import Case, CaseMessage, Direction
from tenants.cases.replay import replay
from tests.factories.clerks import clerk
from tests.factories.requests import request

HANDLERS: dict[str, Callable[..., Sequence[Entry]]] = {
    kind: import_string(settings.FEDERATION_HANDLERS[kind]) for kind in MessageKind
}


def _record(town: Municipality) -> AuthorityRecord:
    with tenant_scope(town):
        halves = keystore.authority_public_keys(town.tenant_role)
    return AuthorityRecord(
        id=town.authority_id,
        name=town.name,
        home_centre="krz",
        ags=town.ags,
        ars=town.ars,
        keys=tuple(
            PublicKey(
                kid=half.kid,
                purpose=half.purpose,
                suite=half.suite,
                raw=half.raw,
                not_before=clock.now() - timedelta(days=1),
            )
            for half in halves
        ),
    )


@dataclass
class Town:
    """A municipality and one of its caseworkers."""

    municipality: Municipality
    by: Actor

    @property
    def id(self) -> UUID:
        return self.municipality.authority_id

    @contextmanager
    def scope(self) -> Iterator[None]:
        with tenant_scope(self.municipality):
            yield

    def case(self, case_id: UUID) -> Case:
        with self.scope():
            return Case.objects.get(id=case_id)

    def act(self, case_id: UUID) -> dict[str, Any]:
        """Return what every step takes: the case as it stands, and who acts."""
        return {"case_id": case_id, "version": self.case(case_id).version, "by": self.by}

    def check_log(self, case_id: UUID) -> None:
        """See that the log tells the state, with the timeline for an end that no message tells."""
        case = self.case(case_id)
        with self.scope():
            log, alone = selectors.message_log(case), selectors.ended_alone(case)
        assert replay(Side(case.side), log, ended_alone=alone) == case.standing


@dataclass
class Postman:
    """Carries what lies in the logs of the towns, in the order of each case's sequence."""

    towns: dict[UUID, Town]
    carried: set[UUID] = field(default_factory=set)

    def waiting(self, sender: Town) -> list[InboundMessage]:
        """Return what a town has sent and was not carried yet."""
        with sender.scope():
            rows = CaseMessage.objects.filter(direction=Direction.OUT).exclude(id__in=self.carried)
            return [_letter(row, sender) for row in rows.order_by("case_id", "number")]

    def bring(self, letter: InboundMessage) -> None:
        """Let a letter take its effect at its recipient."""
        self.carried.add(letter.message_id)
        with self.towns[letter.recipient].scope(), transaction.atomic():
            audit.record(events=HANDLERS[letter.kind](messages=[letter]))

    def bring_all(self, sender: Town) -> int:
        """Bring everything that a town has sent, with the receipts back; return how many."""
        letters = self.waiting(sender)
        for letter in letters:
            self.bring(letter)
        self.tell(sender, letters, DeliveryState.RELAYED)
        return len(letters)

    def until_quiet(self) -> None:
        """Bring to and fro until nobody has anything left."""
        while sum(self.bring_all(town) for town in self.towns.values()):
            pass

    def tell(
        self,
        sender: Town,
        letters: Sequence[InboundMessage],
        state: DeliveryState,
        reason: str = "",
    ) -> None:
        """Tell a town what became of its letters."""
        news = [
            Outcome(
                message_id=letter.message_id,
                case_id=letter.case_id,
                kind=letter.kind,
                state=state,
                reason=reason,
                at=clock.now(),
            )
            for letter in letters
        ]
        self.carried |= {letter.message_id for letter in letters}
        with sender.scope(), transaction.atomic():
            audit.record(events=outcomes.on_outcomes(outcomes=news))

    def failure(self, letter: InboundMessage, reason: str = "PAYLOAD_INVALID") -> InboundMessage:
        """Return what the recipient answers where it cannot process a letter."""
        notice = ProcessingFailureNotice(
            message_id=letter.message_id, reason=reason, text="Nicht lesbar."
        )
        return replace(
            letter,
            message_id=new_id(),
            kind=MessageKind.PROCESSING_FAILURE,
            sender=letter.recipient,
            recipient=letter.sender,
            case_sequence=0,
            payload=write_processing_failure(notice),
        )


def _letter(row: CaseMessage, sender: Town) -> InboundMessage:
    payload = wire.read(Kind(row.kind), row.schema_version, bytes(row.payload))
    return InboundMessage(
        message_id=row.id,
        origin_centre="krz",
        sender=sender.id,
        recipient=row.other_authority,
        case_id=row.case_id,
        case_sequence=row.sequence,
        kind=MessageKind(row.kind),
        schema_version=row.schema_version,
        payload=bytes(row.payload),
        created_at=row.created_at,
        received_at=clock.now(),
        blobs=tuple(
            BlobRef(each.digest.hex(), each.sealed_size) for each in payloads.attachments(payload)
        ),
    )


def _town(municipality: Municipality) -> Town:
    with tenant_scope(municipality):
        return Town(municipality, clerk().actor)


def directory_of(*towns: Municipality) -> Directory:
    """Return a directory of this centre with these towns."""
    snapshot = Snapshot(
        version=1,
        published_at=clock.now(),
        expires_at=clock.in_future(days=1),
        centres=(CentreRecord(id="krz", name="krz", endpoint=""),),
        authorities=tuple(map(_record, towns)),
    )
    return Directory(snapshot, digest="1")


@pytest.fixture
def known(
    monkeypatch: pytest.MonkeyPatch, alpha: Municipality, beta: Municipality, gamma: Municipality
) -> None:
    """Let the directory know the three towns."""
    known = directory_of(alpha, beta, gamma)
    monkeypatch.setattr(directory, "present", lambda: known)


@pytest.fixture
def suspended(monkeypatch: pytest.MonkeyPatch, known: None) -> Callable[[Town], None]:
    """Return the function with which the directory suspends a town."""

    def suspend(town: Town) -> None:
        before = directory.present()
        assert before is not None
        authorities = tuple(
            replace(each, state="suspended") if each.id == town.id else each
            for each in before.snapshot.authorities
        )
        after = Directory(replace(before.snapshot, authorities=authorities), digest="2")
        monkeypatch.setattr(directory, "present", lambda: after)

    return suspend


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch, known: None) -> Callable[[Town], None]:
    """Return the function with which a town leaves the directory."""

    def leave(town: Town) -> None:
        before = directory.present()
        assert before is not None
        authorities = tuple(each for each in before.snapshot.authorities if each.id != town.id)
        after = Directory(replace(before.snapshot, authorities=authorities), digest="3")
        monkeypatch.setattr(directory, "present", lambda: after)

    return leave


@pytest.fixture
def die(dsn: Callable[[str], str]) -> Callable[..., None]:
    """Return the function with which a letter dies as under the hands of dispatch."""

    def die(message_id: UUID, state: str, reason: str = "GONE") -> None:
        with psycopg.connect(dsn("owner")) as connection:
            connection.execute(
                "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, lseq, case_id,"
                " kind, state, reason, died_at) SELECT gen_random_uuid(), id, tenant_role, link,"
                " lseq, case_id, kind, %s, %s, now() FROM outbox_letter WHERE id = %s",
                [state, reason, message_id],
            )
            if state == "expired":
                connection.execute(
                    "UPDATE outbox_letter SET expires_at = now(), lseq = coalesce(lseq, 0)"
                    " WHERE id = %s",
                    [message_id],
                )

    return die


@pytest.fixture
def a(alpha: Municipality, known: None) -> Town:
    """The requesting town."""
    return _town(alpha)


@pytest.fixture
def b(beta: Municipality, known: None) -> Town:
    """The requested town."""
    return _town(beta)


@pytest.fixture
def c(gamma: Municipality, known: None) -> Town:
    """Another town that could be asked."""
    return _town(gamma)


@pytest.fixture
def post(a: Town, b: Town, c: Town) -> Postman:
    return Postman({town.id: town for town in (a, b, c)})


@pytest.fixture
def case_id(a: Town, b: Town, post: Postman) -> UUID:
    """A request of A that was sent, delivered and registered at B."""
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    found: UUID = case.id
    return found


#: What the trail is told by each service that writes. A new service needs its line.
TOLD = {
    "accept": AuditEvent.CASE_REQUEST_ACCEPTED,
    "accept_many": AuditEvent.CASE_REQUEST_ACCEPTED,
    "answer": AuditEvent.CASE_QUERY_ANSWERED,
    "ask": AuditEvent.CASE_QUERY_ASKED,
    "close": AuditEvent.CASE_REQUEST_CLOSED,
    "complete": AuditEvent.CASE_REQUEST_COMPLETED,
    "confirm_withdrawal": AuditEvent.CASE_REQUEST_WITHDRAWN,
    "create_draft": AuditEvent.CASE_REQUEST_DRAFTED,
    "create_drafts": AuditEvent.CASE_REQUEST_DRAFTED,
    "delete_draft": AuditEvent.CASE_REQUEST_DISCARDED,
    "end_alone": AuditEvent.CASE_REQUEST_CLOSED,
    "give_up": AuditEvent.CASE_REQUEST_CLOSED,
    "refuse": AuditEvent.CASE_REQUEST_REFUSED,
    "resend_message": AuditEvent.CASE_DELIVERY_CHANGED,
    "resubmit": AuditEvent.CASE_REQUEST_SUBMITTED,
    "submit_draft": AuditEvent.CASE_REQUEST_SUBMITTED,
    "submit_request": AuditEvent.CASE_REQUEST_SUBMITTED,
    "submit_requests": AuditEvent.CASE_REQUEST_SUBMITTED,
    "update_draft": AuditEvent.CASE_REQUEST_CHANGED,
    "withdraw": AuditEvent.CASE_REQUEST_WITHDRAWN,
}


@pytest.fixture(autouse=True)
def _trail_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every service, wherever a test here calls it, fail if it wrote and told nobody."""
    for name, event in TOLD.items():
        service = getattr(services, name)

        def watched(*, _service: Any = service, _event: AuditEvent = event, **said: Any) -> Any:
            before = _told(_event, said["by"])
            done = _service(**said)
            if "choices" in said:
                written = sum(each.error is None for each in done)
            else:
                written = len(said.get("drafts", [None]))
            assert _told(_event, said["by"]) == before + written, f"{_event} is not in the trail"
            return done

        monkeypatch.setattr(services, name, watched)


def _told(event: AuditEvent, by: Actor) -> int:
    entries = TrailEntry.objects.filter(event=event)
    return sum(each.content["actor"]["id"] == by.id for each in entries)

"""One case with everything that its page shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.pages import Page
from tenants.cases import deadlines, lifecycle, policies, story, wire
from tenants.cases.drafts import Address, Danger, RequestDraft
from tenants.cases.errors import CaseNotFound
from tenants.cases.graph import Kind, Side, State, Step
from tenants.cases.lifecycle import Standing
from tenants.cases.models import Case, CaseEvent, CaseMessage, Direction, Outcome
from tenants.cases.payloads import Answer, Query
from tenants.cases.replay import Fate, Logged
from tenants.cases.selectors import absence, deliveries
from tenants.cases.selectors.absence import Absence
from tenants.cases.selectors.deliveries import LISTED, DeliveryView
from tenants.documents import selectors as documents
from tenants.documents.models import Document

#: By the name of a list: the id of the first one that was shown of it.
type Before = Mapping[str, UUID]
NOTHING: Final[Before] = MappingProxyType({})
#: Who does what no person does, in the timeline.
AUTOMATIC = gettext_noop("automatisch")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of what happened, at either side."""

    at: datetime
    label: str
    by: str
    text: str
    is_ours: bool
    message_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as somebody with certain rights may see it now."""

    case_id: UUID
    reference: str
    side: Side
    state: State
    state_label: str
    standing: Standing
    #: What a step must name to show that nobody has written in between.
    version: int
    other_authority: UUID | None
    other_name: str
    #: The other authority has left the directory.
    absence: Absence | None
    own_reference: str
    other_reference: str
    request: RequestDraft
    #: What can be done next.
    steps: tuple[Step, ...]
    #: The text of the open query.
    open_query: str
    #: The text of the other side's answer, as long as nothing has happened since.
    fresh_answer: str
    due_at: datetime | None
    due_label: str
    is_overdue: bool
    #: A message of ours did not get through: the machine's reason.
    trouble: str
    reason: str
    result: str
    collected_cents: int
    costs_cents: int
    created_at: datetime
    opened_at: datetime | None
    delivered_at: datetime | None
    closed_at: datetime | None
    #: Of these three the newest, oldest first; `next` asks for those before.
    timeline: Page[TimelineEntry]
    deliveries: Page[DeliveryView]
    documents: Page[Document]
    #: What has been brought in here and gone with no message yet.
    unsent: tuple[Document, ...]


def read_case(*, case_id: UUID, by: Actor, before: Before = NOTHING) -> CaseView:
    """Return a case and note in the trail that it was read. Raises `CaseNotFound`, `NotAllowed`.

    `before` names the first one shown of a list where those before it are wanted.
    """
    policies.require_reader(by)
    with transaction.atomic():
        view = case_view(case_id=case_id, by=by, before=before)
        entry = Entry(
            event=AuditEvent.CASE_REQUEST_READ,
            by=by,
            subject=view.reference,
            detail={"case": str(case_id)},
        )
        audit.record(events=[entry])
    return view


def case_view(*, case_id: UUID, by: Actor, before: Before = NOTHING) -> CaseView:
    """Return a case without a trace. Doors use `read_case`."""
    case = Case.objects.select_related("content").filter(id=case_id).first()
    if case is None:
        raise CaseNotFound
    request = wire.read_record(RequestDraft, bytes(case.content.record))
    if not policies.may_see_danger(by):
        request = _without_protected(request)
    standing = case.standing
    side, state = Side(case.side), State(case.state)
    deadline = deadlines.DEADLINES.get((side, state))
    absent = absence.of_case(case)
    return CaseView(
        case_id=case.id,
        reference=case.reference,
        side=side,
        state=state,
        state_label=lifecycle.label(state, side),
        standing=standing,
        version=case.version,
        other_authority=case.other_authority,
        other_name=case.other_name,
        absence=absent,
        own_reference=case.own_reference,
        other_reference=case.other_reference,
        request=request,
        steps=policies.steps(by, standing, alone=absent is not None),
        open_query=_query_text(case),
        fresh_answer=_fresh_answer(case),
        due_at=case.due_at,
        due_label=deadline.label if deadline else "",
        is_overdue=case.due_at is not None and case.due_at < clock.now(),
        trouble=case.trouble,
        reason=case.reason,
        result=case.result,
        collected_cents=case.collected_cents,
        costs_cents=case.costs_cents,
        created_at=case.created_at,
        opened_at=case.opened_at,
        delivered_at=case.delivered_at,
        closed_at=case.closed_at,
        timeline=_timeline(case, before.get("timeline")),
        deliveries=deliveries.of_case(
            case.id, before=before.get("deliveries"), absent=absence.is_absent(case)
        ),
        documents=documents.newest_of_case(case.id, before=before.get("documents")),
        unsent=documents.unsent_of_case(case.id),
    )


def reference_of(case_id: UUID) -> str:
    """Return the reference of a case, or raise `CaseNotFound`. Nothing else of it is read."""
    reference: str | None = (
        Case.objects.filter(id=case_id).values_list("reference", flat=True).first()
    )
    if reference is None:
        raise CaseNotFound
    return reference


def case_named(name: str) -> UUID:
    """Return the id of the case with this reference or id, or raise `CaseNotFound`.

    Nothing else of it is read.
    """
    try:
        wanted = Q(id=UUID(name))
    except ValueError:
        wanted = Q(reference=name)
    case_id: UUID | None = Case.objects.filter(wanted).values_list("id", flat=True).first()
    if case_id is None:
        raise CaseNotFound
    return case_id


def message_ids(case_id: UUID) -> list[tuple[UUID, bool]]:
    """Return the messages of a case in the order of its log; True: sent by us."""
    rows = CaseMessage.objects.filter(case_id=case_id).order_by("number")
    return [(each.id, each.direction == Direction.OUT) for each in rows.only("id", "direction")]


def message_log(case: Case) -> list[Logged]:
    """Return a case's log as the life cycle replays it."""
    rows = CaseMessage.objects.filter(case=case).order_by("number")
    return [_logged(row) for row in rows]


_FATES = {
    Outcome.RELAYED: Fate.ARRIVED,
    Outcome.FAILED: Fate.FAILED,
    Outcome.CANCELLED: Fate.GIVEN_UP,
}


def _logged(row: CaseMessage) -> Logged:
    query_id = None
    if row.kind == Kind.ANSWER:
        payload = wire.read(Kind.ANSWER, row.schema_version, bytes(row.payload))
        query_id = payload.query_id if isinstance(payload, Answer) else None
    return Logged(
        message_id=row.id,
        kind=Kind(row.kind),
        sent=row.direction == Direction.OUT,
        fate=_FATES.get(Outcome(row.outcome), Fate.OPEN),
        query_id=query_id,
        repeats=row.repeats,
    )


def payload_of(message_id: UUID) -> bytes:
    """Return the content of a message, byte for byte as it was sealed or opened."""
    row = CaseMessage.objects.only("payload").filter(id=message_id).first()
    if row is None:
        raise CaseNotFound("Diese Nachricht gibt es hier nicht.")
    return bytes(row.payload)


def _timeline(case: Case, before: UUID | None) -> Page[TimelineEntry]:
    found = CaseEvent.objects.filter(case_id=case.id)
    if before and (mark := found.filter(id=before).first()):
        found = found.filter(Q(at__lt=mark.at) | Q(at=mark.at, id__lt=mark.id))
    rows = list(found.order_by("-at", "-id")[: LISTED + 1])
    page = Page.cut(rows, LISTED, lambda row: str(row.id)).turned()
    return Page(tuple(_entry(row, case) for row in page.rows), page.next)


def _entry(row: CaseEvent, case: Case) -> TimelineEntry:
    return TimelineEntry(
        at=row.at,
        label=story.label(row.what, row.label),
        by=AUTOMATIC if lifecycle.is_automatic(row.what) else row.by,
        text=story.text(row.what, row.text),
        is_ours=row.side == case.side,
        message_id=row.message_id,
    )


def _query_text(case: Case) -> str:
    if case.query_id is None:
        return ""
    row = CaseMessage.objects.filter(id=case.query_id).first()
    if row is None:
        return ""
    query = wire.read(Kind.QUERY, row.schema_version, bytes(row.payload))
    return query.text if isinstance(query, Query) else ""


def _fresh_answer(case: Case) -> str:
    if case.side != Side.REQUESTED or case.query_id is not None:
        return ""
    row = CaseMessage.objects.filter(case=case).order_by("number").last()
    if row is None or row.kind != Kind.ANSWER or row.direction != Direction.IN:
        return ""
    answer = wire.read(Kind.ANSWER, row.schema_version, bytes(row.payload))
    return answer.text if isinstance(answer, Answer) else ""


def _without_protected(request: RequestDraft) -> RequestDraft:
    """Leave out what only those see who work on cases: danger, and addresses under a block."""
    debtors = tuple(
        replace(debtor, address=Address(), former_addresses=(), phone="", email="", employer="")
        if debtor.disclosure_blocked
        else debtor
        for debtor in request.debtors
    )
    return replace(request, debtors=debtors, danger=Danger(known=request.danger.known))

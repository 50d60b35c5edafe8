"""The worklist: pages of rows, and how many there are of each kind."""

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case as Choice
from django.db.models import Count, F, Max, Q, QuerySet, Value, When

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock, searching
from centre.kernel.actors import Actor
from centre.kernel.counting import counted
from centre.kernel.pages import Page
from tenants.cases import lifecycle, policies
from tenants.cases.graph import Side, State, Verb
from tenants.cases.models import Case
from tenants.cases.selectors import absence
from tenants.cases.worklists import ALONE, PARTS, Place

MAX_ROWS: Final = 200
MAX_AUTHORITIES: Final = 200
SORTS: Final = ("urgency", "age", "newest", "due")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    #: A part of `tenants.cases.worklists.PARTS`.
    tab: str = "todo"
    side: Side | None = None
    states: tuple[State, ...] = ()
    #: Words that must all occur in references, names or the other authority.
    search: str = ""
    authority: UUID | None = None
    #: The first and the last day, in German time, on which it was sent or came in.
    opened_from: date | None = None
    opened_until: date | None = None
    overdue: bool = False
    #: Who has left the directory. Found anew for each question unless the caller has found it.
    absent: frozenset[UUID] | None = field(default=None, compare=False)

    @property
    def narrow(self) -> bool:
        """Whether it is less than the whole part."""
        return self != Filters(tab=self.tab)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the worklist."""

    case_id: UUID
    reference: str
    side: Side
    state: State
    state_label: str
    debtor_name: str
    other_name: str
    own_reference: str
    total_cents: int
    urgent: bool
    #: Since when it stands there, and by when that should end.
    since: datetime
    due_at: datetime | None
    is_overdue: bool
    trouble: str
    can_accept: bool
    #: The other authority is gone: nobody but this side can end the case.
    ends_alone: bool
    version: int


@dataclass(frozen=True, slots=True)
class Counts:
    by_tab: Mapping[str, int]
    by_state: Mapping[Place, int]
    overdue: int


def read_worklist(
    *, filters: Filters, by: Actor, sort: str = "urgency", after: str | None = None, limit: int = 50
) -> Page[Row]:
    """Return a page of the worklist and note in the trail that it was shown."""
    policies.require_reader(by)
    with transaction.atomic():
        page = worklist(filters=filters, sort=sort, after=after, limit=limit)
        _tell(
            by,
            filters.tab,
            page.rows,
            searched="yes" if filters.search else "no",
            narrowed="yes" if filters.narrow else "no",
        )
    return page


def rows(*, case_ids: Sequence[UUID], by: Actor) -> tuple[Row, ...]:
    """Return the rows of chosen cases in the given order, and note in the trail who saw them."""
    policies.require_reader(by)
    with transaction.atomic():
        found = {case.id: case for case in _columns(Case.objects.filter(id__in=case_ids))}
        chosen = tuple(_row(found[each]) for each in dict.fromkeys(case_ids) if each in found)
        _tell(by, "chosen", chosen)
    return chosen


def worklist(
    *, filters: Filters, sort: str = "urgency", after: str | None = None, limit: int = 50
) -> Page[Row]:
    """Return a page of the worklist with two queries at most. Doors use `read_worklist`.

    A mark that is none starts at the beginning.
    """
    order = sort if sort in SORTS else "urgency"
    limit = max(1, min(limit, MAX_ROWS))
    found = _columns(_filtered(filters))
    if mark := _unpack(order, after):
        found = found.filter(_beyond(order, *mark))
    cases = list(found.order_by(*_ORDERS[order])[: limit + 1])
    page = Page.cut(cases, limit, partial(_pack, order))
    return Page(tuple(map(_row, page.rows)), page.next)


def counts(filters: Filters | None = None) -> Counts:
    """Return how many cases there are of each kind, with two queries.

    With filters, of those cases only that pass them; every part is counted, whatever its `tab`.
    """
    filters = filters or Filters()
    groups = (
        _narrowed(filters)
        .annotate(late=_flag(_late()), troubled=_flag(_TROUBLED), gone=_flag(_gone(filters)))
        .values_list("side", "state", "late", "troubled", "gone")
        .annotate(number=Count("id"))
    )
    by_state: Counter[Place] = Counter()
    by_tab = dict.fromkeys(PARTS, 0)
    overdue = 0
    for side, state, late, troubled, gone, number in groups.order_by():
        place = (Side(side), State(state))
        by_state[place] += number
        overdue += number if late else 0
        for name, part in PARTS.items():
            if part.holds(place, late=late, troubled=troubled, gone=gone):
                by_tab[name] += number
    return Counts(by_tab, by_state, overdue)


def authorities(*, chosen: UUID | None = None) -> tuple[tuple[UUID, str], ...]:
    """Return the other authorities with most cases, and the chosen one, with their names, by name.

    At most `MAX_AUTHORITIES`: one that is not among them is found by searching for its name.
    """
    named = (
        Case.objects.exclude(other_authority=None)
        .values_list("other_authority")
        .annotate(name=Max("other_name"), wanted=Q(other_authority=chosen), cases=Count("id"))
        .order_by("-wanted", "-cases", "other_authority")
    )
    found = [(authority, name) for authority, name, *_ in named[:MAX_AUTHORITIES]]
    return tuple(sorted(found, key=lambda each: (each[1].casefold(), each[0])))


# -- which cases ----------------------------------------------------------------------------


def _filtered(filters: Filters) -> QuerySet[Case]:
    return _narrowed(filters).filter(_part(filters))


def _narrowed(filters: Filters) -> QuerySet[Case]:
    found = Case.objects.all()
    if filters.side:
        found = found.filter(side=filters.side)
    if filters.states:
        found = found.filter(state__in=filters.states)
    if filters.authority:
        found = found.filter(other_authority=filters.authority)
    if filters.opened_from:
        begin = datetime.combine(filters.opened_from, time.min, clock.BERLIN)
        found = found.filter(opened_at__gte=begin)
    if filters.opened_until:
        end = datetime.combine(filters.opened_until, time.max, clock.BERLIN)
        found = found.filter(opened_at__lte=end)
    if filters.overdue:
        found = found.filter(_late())
    for word in searching.words(filters.search.casefold()):
        found = found.filter(search__contains=word)
    return found


def _part(filters: Filters) -> Q:
    part = PARTS.get(filters.tab, PARTS["all"])
    if part is PARTS["all"]:
        return Q()
    wanted = _places(part.places)
    if part.late_places:
        wanted |= _places(part.late_places) & _late()
    if part.alone:
        wanted |= _gone(filters)
    return wanted | _TROUBLED if part.trouble else wanted


_TROUBLED: Final = ~Q(trouble="")


def _late() -> Q:
    return Q(due_at__lt=clock.now())


def _flag(condition: Q) -> Choice:
    """Return a condition as a column; never NULL, which would be a group of its own."""
    return Choice(When(condition, then=Value(value=True)), default=Value(value=False))


def _gone(filters: Filters) -> Q:
    """Return the condition of cases that only this side can still end."""
    gone = absence.absent_authorities() if filters.absent is None else filters.absent
    return _places(ALONE) & Q(other_authority__in=gone) if gone else Q(pk__in=[])


def _places(places: frozenset[Place]) -> Q:
    wanted = Q(pk__in=[])
    for side in Side:
        if states := sorted(state for where, state in places if where is side):
            wanted |= Q(side=side, state__in=states)
    return wanted


# -- in which order -------------------------------------------------------------------------

_ORDERS: Final[Mapping[str, tuple[Any, ...]]] = {
    "urgency": ("-urgent", "created_at", "id"),
    "age": ("created_at", "id"),
    "newest": ("-created_at", "-id"),
    "due": (F("due_at").asc(nulls_last=True), "id"),
}
type _Mark = tuple[bool, datetime | None, UUID]


def _beyond(order: str, urgent: bool, moment: datetime | None, last: UUID) -> Q:  # noqa: FBT001
    if order == "due":
        if moment is None:
            return Q(due_at=None, id__gt=last)
        return Q(due_at__gt=moment) | Q(due_at=moment, id__gt=last) | Q(due_at=None)
    if order == "newest":
        return Q(created_at__lt=moment) | Q(created_at=moment, id__lt=last)
    later = Q(created_at__gt=moment) | Q(created_at=moment, id__gt=last)
    if order == "age":
        return later
    return (Q(urgent=True) & later) | Q(urgent=False) if urgent else Q(urgent=False) & later


def _pack(order: str, case: Case) -> str:
    moment = case.due_at if order == "due" else case.created_at
    mark = [order, case.urgent, moment.isoformat() if moment else None, str(case.id)]
    return base64.urlsafe_b64encode(json.dumps(mark).encode()).decode().rstrip("=")


def _unpack(order: str, text: str | None) -> _Mark | None:
    if not text:
        return None
    try:
        mark = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        made_for, urgent, moment, last = mark
        # Whatever zone somebody has written: PostgreSQL does not know all that Python does.
        moment = datetime.fromisoformat(moment).astimezone(UTC) if moment else None
        if made_for != order or (moment is None and order != "due"):
            return None
        return bool(urgent), moment, UUID(last)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


# -- what is shown --------------------------------------------------------------------------


def _columns(found: QuerySet[Case]) -> QuerySet[Case]:
    return found.defer("search")


def _row(case: Case) -> Row:
    side, state = Side(case.side), State(case.state)
    gone = absence.is_absent(case)
    return Row(
        case_id=case.id,
        reference=case.reference,
        side=side,
        state=state,
        state_label=lifecycle.label(state, side),
        debtor_name=case.debtor,
        other_name=case.other_name,
        own_reference=case.own_reference,
        total_cents=case.total_cents,
        urgent=case.urgent,
        since=case.state_since,
        due_at=case.due_at,
        is_overdue=case.due_at is not None and case.due_at < clock.now(),
        trouble=case.trouble,
        can_accept=(
            not gone and side is Side.REQUESTED and state in lifecycle.step(Verb.ACCEPT).paths
        ),
        ends_alone=gone and (side, state) in ALONE,
        version=case.version,
    )


def _tell(by: Actor, part: str, shown: Sequence[Row], **detail: str) -> None:
    entry = Entry(
        event=AuditEvent.CASE_WORKLIST_READ,
        by=by,
        subject=part[:40],
        # Whoever asks who has seen a case finds those who had it in a list, too.
        detail={"cases": " ".join(row.reference for row in shown), **detail},
    )
    audit.record(events=[entry])


def what_deletion_cuts_off() -> str:
    """Return a sentence for an operator about cases that others still wait for, or ""."""
    found = dict.fromkeys(Side, 0)
    for (side, state), number in counts().by_state.items():
        if state is not State.DRAFT and state not in lifecycle.FINAL[side]:
            found[side] += number
    if not any(found.values()):
        return ""
    cases = counted(sum(found.values()), "of its cases is", "of its cases are")
    requests = counted(found[Side.REQUESTED], "of them a request", "of them requests")
    return (
        f"{cases} not closed, {requests} of others; the other side is not told that these end, only"
        " who has sent a message that was not applied yet: agree with them first."
    )

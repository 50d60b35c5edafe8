"""Reads of imports, for pages and commands. `read_...` leaves a trace in the trail.

Rows tell who owes what, before any of it is a case.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel.actors import Actor
from centre.kernel.pages import Page
from tenants.cases.graph import State
from tenants.cases.models import Case
from tenants.importers.cells import guard
from tenants.importers.columns import AUTHORITY, BY_HEADER, REMARK
from tenants.importers.errors import RunNotFound
from tenants.importers.models import ImportRow, ImportRun, RowState

PAGE_SIZE = 50

#: The case that came of a row; none where it was deleted, which only drafts are.
_CASE: Final = Case.objects.filter(id=OuterRef("case_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with its counts as of now."""

    id: UUID
    name: str
    state: str
    problem: str
    remark: str
    waiting: str
    submit: bool
    created_at: datetime
    finished_at: datetime | None
    created_by: str
    rows_total: int
    sum_cents: int
    #: Rows by `RowState`.
    good: int
    faulty: int
    undecided: int
    repeated: int
    imported: int

    @property
    def rows_done(self) -> int:
        return self.imported

    @property
    def rows_to_do(self) -> int:
        """Rows that the run imports or has imported."""
        return self.good + self.imported

    def since(self, before: "RunView") -> "RunView":
        """Return this run with what it had imported by `before` as repeated rows."""
        return replace(
            self,
            imported=self.imported - before.imported,
            repeated=self.repeated + before.imported,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What people have to see to after an import: the first rows of each kind, and how many."""

    #: Not imported: faulty or undecided; the run counts them.
    left: tuple[ImportRow, ...]
    #: Imported before, with other content.
    changed: tuple[ImportRow, ...]
    changed_count: int
    #: Rows that are drafts at present, from now or earlier.
    drafts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Which rows of a run have been sent by now, and which still wait as drafts."""

    #: Imported by this run and no draft any more.
    sent: int
    #: As in `Remains`.
    drafts: int
    #: The first of these.
    first: tuple[ImportRow, ...]

    @property
    def more(self) -> int:
        """How many drafts there are besides the first."""
        return self.drafts - len(self.first)


def run(run_id: UUID) -> RunView:
    """Return a run; raise `RunNotFound`."""
    found = ImportRun.objects.defer("content").filter(id=run_id).first()
    if found is None:
        raise RunNotFound
    return _views([found])[0]


def recent(*, after: UUID | None = None, limit: int = PAGE_SIZE) -> Page[RunView]:
    """Return the runs, newest first."""
    rows = ImportRun.objects.defer("content").exclude(state="discarded").order_by("-id")
    if after:
        rows = rows.filter(id__lt=after)
    page = Page.cut(list(rows[: limit + 1]), limit, lambda run: str(run.id))
    return Page(tuple(_views(page.rows)), page.next)


def read_rows(
    run_id: UUID, *, state: RowState, by: Actor, after: str | None = None
) -> Page[ImportRow]:
    """Return the rows of a run in one state, by line, and note in the trail who saw them."""
    with transaction.atomic():
        page = rows(run_id, state=state, after=after)
        if page.rows:
            first, last = page.rows[0].line, page.rows[-1].line
            _tell(
                AuditEvent.IMPORT_FILE_READ, run_id, by, rows=state.value, lines=f"{first}-{last}"
            )
    return page


def rows(
    run_id: UUID, *, state: RowState, after: str | None = None, limit: int = PAGE_SIZE
) -> Page[ImportRow]:
    """Return the rows of a run in one state, by line. Doors use `read_rows`.

    A row says as `case_state` where its case stands, None if that is deleted.
    """
    found = list(
        ImportRow.objects.defer("draft")
        .annotate(case_state=Subquery(_CASE.values("state")))
        .filter(run_id=run_id, state=state, line__gt=int(after or 0))
        .order_by("line")[: limit + 1]
    )
    return Page.cut(found, limit, lambda row: str(row.line))


def read_faults(run_id: UUID, *, by: Actor) -> Iterator[str]:
    """Note in the trail who takes the rows that were not imported, then yield them as a file."""
    with transaction.atomic():
        _tell(AuditEvent.IMPORT_FAULTS_EXPORTED, run_id, by, rows=str(_left_over(run_id).count()))
    return faults_csv(run_id)


def faults_csv(run_id: UUID) -> Iterator[str]:
    """Yield the rows that were not imported as a file that can be mended and given again.

    The column `Fehler` at the end says what is wrong; an import skips it. Doors use `read_faults`.
    """
    found = ImportRun.objects.defer("content").filter(id=run_id).first()
    if found is None:
        raise RunNotFound
    headers = [header for header in found.headers if header in BY_HEADER]
    if AUTHORITY not in headers:  # where people decide about rows that are not clear
        headers.append(AUTHORITY)
    yield "\ufeff" + _line([*headers, REMARK], found.delimiter)
    for row in _left_over(run_id).iterator(chunk_size=500):
        words = " | ".join(
            f"{fault['header']}: {fault['text']} {fault['hint']}" for fault in row.faults
        )
        cells = [guard(row.cells.get(header, "")) for header in headers]
        yield _line([*cells, f"Zeile {row.line}: {words}"], found.delimiter)


def imported(keys: Iterable[str]) -> dict[str, ImportRow]:
    """Return the rows that are requests or drafts already, by key."""
    known = ImportRow.objects.filter(Exists(_CASE), state=RowState.IMPORTED, key__in=keys)
    return {row.key: row for row in known.only("key", "fingerprint", "total_cents", "case_id")}


def deleted() -> QuerySet[ImportRow]:
    """Return the rows whose drafts people have deleted: they may be imported again."""
    return ImportRow.objects.filter(~Exists(_CASE), case_id__isnull=False)


def left_over(run_id: UUID, *, limit: int = PAGE_SIZE) -> tuple[ImportRow, ...]:
    """Return the first rows that are not imported: faulty and undecided ones, by line."""
    return tuple(_left_over(run_id)[:limit])


def remains(run_id: UUID, *, limit: int) -> Remains:
    """Return what people have to see to after a run."""
    changed = _changed(run_id)
    return Remains(
        left=left_over(run_id, limit=limit),
        changed=tuple(changed.defer("draft").order_by("line")[:limit]),
        changed_count=changed.count(),
        drafts=_drafts(run_id).count(),
    )


def changed_count(run_id: UUID) -> int:
    """Return how many rows were imported before, with other content."""
    return _changed(run_id).count()


def read_sending(run_id: UUID, *, by: Actor, limit: int) -> Sending:
    """Return what a run has sent and the first drafts; note in the trail who saw these."""
    sent = ImportRow.objects.filter(
        Exists(_CASE.exclude(state=State.DRAFT)), run_id=run_id, state=RowState.IMPORTED
    )
    with transaction.atomic():
        first = tuple(_drafts(run_id).defer("draft").order_by("line")[:limit])
        if first:
            lines = f"{first[0].line}-{first[-1].line}"
            _tell(AuditEvent.IMPORT_FILE_READ, run_id, by, rows="draft", lines=lines)
    return Sending(sent=sent.count(), drafts=_drafts(run_id).count(), first=first)


def drafts_of(rows: Iterable[ImportRow]) -> int:
    """Return how many of these rows are drafts at present."""
    ids = [row.case_id for row in rows if row.case_id]
    return Case.objects.filter(id__in=ids, state=State.DRAFT).count()


def _tell(event: AuditEvent, run_id: UUID, by: Actor, **detail: str) -> None:
    audit.record(events=[Entry(event=event, by=by, subject=str(run_id), detail=detail)])


def _drafts(run_id: UUID) -> QuerySet[ImportRow]:
    return ImportRow.objects.filter(Exists(_CASE.filter(state=State.DRAFT)), run_id=run_id)


def _changed(run_id: UUID) -> QuerySet[ImportRow]:
    return ImportRow.objects.filter(run_id=run_id, state=RowState.REPEATED).exclude(faults=[])


def _left_over(run_id: UUID) -> QuerySet[ImportRow]:
    left = ImportRow.objects.filter(run_id=run_id, state__in=[RowState.FAULTY, RowState.UNDECIDED])
    return left.defer("draft").order_by("line")


def _line(cells: list[str], delimiter: str) -> str:
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter or ";").writerow(cells)
    return target.getvalue()


def _views(found: Sequence[ImportRun]) -> list[RunView]:
    counts: dict[UUID, dict[str, int]] = {}
    grouped = ImportRow.objects.filter(run__in=found).values_list("run_id", "state")
    for run_id, state, number in grouped.annotate(number=Count("id")):
        counts.setdefault(run_id, {})[state] = number
    return [view(each, counts.get(each.id, {})) for each in found]


def view(run: ImportRun, counts: Mapping[str, int]) -> RunView:
    """Return a run as people see it, with the numbers of its rows by state."""
    return RunView(
        id=run.id,
        name=run.name,
        state=run.state,
        problem=run.problem,
        remark=run.remark,
        waiting=run.waiting,
        submit=run.submit,
        created_at=run.created_at,
        finished_at=run.finished_at,
        created_by=run.actor_name,
        rows_total=run.rows_total,
        sum_cents=run.sum_cents,
        **{state.value: counts.get(state, 0) for state in RowState},
    )

"""Turning the rows of a confirmed run into requests."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext_noop

from centre.directory import selectors as directory
from centre.tenancy import binary
from federation.outbox.errors import BacklogFull, RecipientUnreachable
from tenants.cases import services as cases
from tenants.cases import wire
from tenants.cases.drafts import RequestDraft
from tenants.cases.errors import CaseError, DraftsInvalid, NotAllowed
from tenants.cases.faults import Fault
from tenants.cases.models import Case
from tenants.cases.readiness import unreachable
from tenants.cases.words import Words
from tenants.importers import selectors
from tenants.importers.building import RowFault, describe
from tenants.importers.checking import mark_repeated
from tenants.importers.columns import header_of
from tenants.importers.models import IMPORTED_ONCE, ImportRow, ImportRun, RowState, RunState
from tenants.importers.selectors import RunView
from tenants.importers.services.files import check_run
from tenants.importers.services.runs import (
    actor_of,
    claimed,
    end,
    locked,
    passes,
    record_imported,
    rows_of,
    wake,
)

#: Rows that become requests in one transaction.
CHUNK: Final = 128
#: How long a worker stays with the files of a municipality before others have their turn.
TURN_SECONDS: Final = 15.0
#: So often a chunk is tried again that came into another's way, before it is made smaller.
_TRIES: Final = 5
#: So many rows in a row that crash are no matter of the rows.
_CRASHES: Final = 10
_ROLLED_BACK: Final = "40"  # class of SQLSTATE: a deadlock, which another try does not meet again

_BACKLOG: Final = gettext_noop(
    "Der Versand wartet: Für ein Rechenzentrum stehen schon sehr viele Nachrichten an. Er geht von "
    "selbst weiter, sobald einige davon zugestellt sind."
)
_CRASHED: Final = gettext_noop(
    "Der Import ist nach mehreren Fehlern im Programm abgebrochen. Melden Sie es Ihrem "
    "Rechenzentrum und lesen Sie die Datei danach noch einmal ein; was schon übernommen ist, wird "
    "erkannt."
)
_NOT_ALLOWED: Final = (
    "Der Import ist abgebrochen: {name} darf keine Ersuchen mehr übermitteln. Lesen Sie die Datei "
    "mit einem berechtigten Konto noch einmal ein; was schon übernommen ist, wird erkannt."
)
_LATER: Final = Words("Fragen Sie dort nach, oder lesen Sie die Zeile später noch einmal ein.")

log = structlog.get_logger(__name__)


def work_off() -> None:
    """Do what is due: check files, go on with confirmed runs.

    A run that cannot go on stops no other. After its turn a worker puts itself behind the others.
    """
    until = time.monotonic() + TURN_SECONDS
    due = ImportRun.objects.filter(state__in=[RunState.CHECKING, RunState.RUNNING])
    # "checking" comes before "running": somebody waits in front of a page for it.
    for run_id, state in due.order_by("state", "created_at").values_list("id", "state"):
        try:
            if state == RunState.CHECKING:
                check_run(run_id, wait=False)
            else:
                run_import(run_id, wait=False, until=until)
        except Exception as error:
            if passes(error):
                log.warning("import waits", run_id=str(run_id), reason=type(error).__name__)
            else:  # not even an end could be made of it
                log.exception("import stuck", run_id=str(run_id))
        if time.monotonic() > until:
            wake()
            return


def run_import(
    run_id: UUID,
    *,
    progress: Callable[[RunView], None] | None = None,
    wait: bool = True,
    until: float | None = None,
) -> RunView:
    """Work a confirmed run off; may be repeated after any interruption.

    Ends early after `until` (of the monotonic clock), and without `wait` where another worker is at
    it. Raises `BacklogFull` when the links are congested: what is left follows later.
    """
    importer = _Importer(run_id, wait=wait)
    while importer.step():
        if progress is not None:
            progress(selectors.run(run_id))
        if until is not None and time.monotonic() > until:
            break
    return selectors.run(run_id)


class _Importer:
    """Takes a run forward, chunk by chunk, and finds the rows that nothing can be done with.

    A chunk that crashes is tried again in ever smaller parts, so that in the end one row alone has
    the fault, and all others are imported.
    """

    def __init__(self, run_id: UUID, *, wait: bool) -> None:
        self._run_id = run_id
        self._wait = wait
        self._size = CHUNK
        self._crashes = 0
        self._collisions = 0

    def step(self) -> bool:
        """Turn the next rows into requests; return whether there may be more."""
        try:
            with transaction.atomic():
                return self._chunk()
        except BacklogFull:
            ImportRun.objects.filter(id=self._run_id).update(waiting=_BACKLOG)
            raise
        except NotAllowed:
            return self._stop(_NOT_ALLOWED)
        except Exception as error:
            if self._meets_another(error):
                # It has just imported one of these rows; a second look finds that repeated.
                self._collisions += 1
                log.info("import meets another", run_id=str(self._run_id))
                return True
            if passes(error):
                raise
            if self._size == 1:
                log.exception("import crashed", run_id=str(self._run_id))
                return self._stop(_CRASHED)
            log.warning("import looks for a row", run_id=str(self._run_id), rows=self._size)
            self._size, self._collisions = max(1, self._size // 8), 0
            return True

    def _meets_another(self, error: Exception) -> bool:
        return self._collisions < _TRIES and _collided(error)

    def _chunk(self) -> bool:
        run = claimed(self._run_id, wait=self._wait)
        if run is None or run.state != RunState.RUNNING:
            return False
        good = rows_of(run).filter(state=RowState.GOOD).order_by("line")
        found = list(good.defer("cells", "faults", "candidates")[: self._size])
        if not found:
            end(run, RunState.FINISHED)
            record_imported(run)
            return False
        if rows := _still_new(found):
            self._import(run, rows)
        if self._crashes >= _CRASHES:
            end(run, RunState.FAILED, _CRASHED)
            record_imported(run)
            return False
        if run.waiting:
            run.waiting = ""
            run.save(update_fields=["waiting"])
        return True

    def _import(self, run: ImportRun, rows: list[ImportRow]) -> None:
        try:
            with transaction.atomic():
                made = _submit(run, rows)
                _mark_imported(rows, made)
        except DraftsInvalid as error:
            _set_aside(rows, error.faults)
        except Exception as error:
            another = self._meets_another(error)
            if len(rows) > 1 or another or passes(error) or isinstance(error, NotAllowed):
                raise
            log.exception("import row crashed", run_id=str(run.id), line=rows[0].line)
            self._crashes += 1
            _set_aside(rows, {0: (_of_the_program(error),)})
        else:
            self._crashes, self._collisions = 0, 0
            self._size = min(CHUNK, self._size * 2)

    def _stop(self, problem: str) -> bool:
        with transaction.atomic():
            run = locked(self._run_id)
            if run.state == RunState.RUNNING:
                end(run, RunState.FAILED, problem.format(name=run.actor_name))
                record_imported(run)
        return False


def _submit(run: ImportRun, rows: Sequence[ImportRow]) -> Sequence[Case]:
    """Write the cases of these rows. Raises `DraftsInvalid` and has then written none."""
    drafts = [wire.read_record(RequestDraft, bytes(row.draft)) for row in rows]
    if unreached := _unreached(drafts):
        raise DraftsInvalid(unreached)
    by = actor_of(run)
    if run.submit:
        return cases.submit_requests(drafts=drafts, by=by)
    return cases.create_drafts(drafts=drafts, by=by)


def _collided(error: Exception) -> bool:
    """Return whether a chunk came into another's way, so that trying again helps."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    if isinstance(error, IntegrityError):
        name = getattr(getattr(cause, "diag", None), "constraint_name", "")
        return bool(name == IMPORTED_ONCE)
    return str(getattr(cause, "sqlstate", "")).startswith(_ROLLED_BACK)


def _still_new(rows: list[ImportRow]) -> list[ImportRow]:
    """Set aside rows that another run has imported since the check.

    Rows whose drafts were deleted give their keys free: these become their cases now.
    """
    keys = [row.key for row in rows]
    deleted = selectors.deleted().filter(state=RowState.IMPORTED, key__in=keys)
    deleted.update(state=RowState.REPEATED)
    if imported := selectors.imported(keys):
        mark_repeated(rows, imported)
        repeated = [row for row in rows if row.state == RowState.REPEATED]
        fields = ["state", "case_id", "cells", "draft", "faults", "candidates"]
        ImportRow.objects.bulk_update(repeated, fields)
    return [row for row in rows if row.state == RowState.GOOD]


def _mark_imported(rows: Sequence[ImportRow], made: Sequence[Case]) -> None:
    binary.run(
        "UPDATE importers_importrow AS stored SET state = 'imported', case_id = made.case_id,"
        " cells = '{}', draft = '', faults = '[]', candidates = '[]'"
        " FROM unnest(%b::uuid[], %b::uuid[]) AS made (id, case_id) WHERE stored.id = made.id",
        [[row.id for row in rows], [case.id for case in made]],
    )


def _unreached(drafts: Sequence[RequestDraft]) -> Mapping[int, tuple[Fault, ...]]:
    """Return what is wrong with drafts whose authority nothing can be sent to any more."""
    known = directory.current()
    found = {}
    for number, draft in enumerate(drafts):
        to = draft.requested_authority
        if to is not None and (words := unreachable(known, to)):
            found[number] = (Fault(path="requested_authority", text=words, hint=_LATER),)
    return found


def _of_the_program(error: Exception) -> Fault:
    if isinstance(error, RecipientUnreachable):
        words = Words("An diese Behörde kann zurzeit nichts gesandt werden.")
        return Fault(path="requested_authority", text=words, hint=_LATER)
    if isinstance(error, CaseError):
        return Fault(path="own_reference", text=error.message, hint=_LATER)
    words = Words("Diese Zeile konnte wegen eines Fehlers im Programm nicht übernommen werden.")
    if _collided(error):
        words = Words(
            "Diese Zeile gilt als schon übernommen, doch ihr Ersuchen ist nicht zu finden."
        )
    return Fault(
        path="own_reference",
        text=words,
        hint="Melden Sie es Ihrem Rechenzentrum und lesen Sie die Zeile danach noch einmal ein.",
    )


def _set_aside(rows: Sequence[ImportRow], faults: Mapping[int, tuple[Fault, ...]]) -> None:
    """Take rows out of the run that were good when they were checked and are not any more."""
    for number, found in faults.items():
        row = rows[number]
        row.state, row.draft = RowState.FAULTY, b""
        row.faults = [
            describe(
                RowFault(
                    header=(header := header_of(fault.path)),
                    text=fault.text,
                    hint=fault.hint,
                    value=row.cells.get(header, ""),
                )
            )
            for fault in found
        ]
    ImportRow.objects.bulk_update([rows[number] for number in faults], ["state", "draft", "faults"])

"""What people decide about a checked file."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from django.db import OperationalError, connection, transaction

from centre.directory import selectors as directory
from centre.kernel.actors import Actor
from centre.tenancy.context import require_tenant
from tenants.cases import policies, wire
from tenants.cases.drafts import RequestDraft
from tenants.cases.readiness import unreachable
from tenants.importers.errors import RunNotReady
from tenants.importers.models import ImportRun, RowState, RunState
from tenants.importers.services.runs import (
    end,
    locked,
    record_assigned,
    record_discarded,
    rows_of,
    wake,
)

_PATIENCE: Final = "3s"
_BUSY: Final = "Die Datei wird gerade bearbeitet. Versuchen Sie es in einigen Sekunden noch einmal."
_NOT_NOW: Final = {
    RunState.CHECKING: "Die Datei wird noch geprüft. Entscheiden Sie, sobald das fertig ist.",
    RunState.DISCARDED: "Die Datei ist verworfen. Lesen Sie sie noch einmal ein.",
}
_LOCK_NOT_AVAILABLE: Final = "55P03"


def choose(*, run_id: UUID, line: int, authority_id: UUID, by: Actor) -> None:
    """Decide to which authority an undecided row goes."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked_soon(run_id)
        row = rows_of(run).filter(line=line, state=RowState.UNDECIDED).first()
        if run.state not in {RunState.CHECKED, RunState.FINISHED} or row is None:
            raise RunNotReady("In dieser Zeile ist nichts zu entscheiden.")
        if authority_id == require_tenant().authority_id:
            raise RunNotReady("Das ist die eigene Behörde. Wählen Sie eine andere.")
        if words := unreachable(directory.current(), authority_id):
            raise RunNotReady(f"{words} Wählen Sie eine andere.")
        draft = wire.read_record(RequestDraft, bytes(row.draft))
        row.draft = wire.write_record(replace(draft, requested_authority=authority_id))
        row.state, row.faults = RowState.GOOD, [each for each in row.faults if each["warning"]]
        row.save()
        if run.state == RunState.FINISHED:  # a late decision: the row follows the others
            run.state, run.finished_at = RunState.RUNNING, None
            run.save()
            wake()
        record_assigned(run, by, line=line, authority_id=authority_id)


def confirm(*, run_id: UUID, submit: bool = True, by: Actor) -> None:
    """Let the good rows of a checked run become requests, or drafts without `submit`."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked_soon(run_id)
        if run.state in {RunState.RUNNING, RunState.FINISHED}:
            return
        if run.state != RunState.CHECKED:
            raise RunNotReady(_NOT_NOW.get(RunState(run.state)) or run.problem or None)
        run.state, run.submit = RunState.RUNNING, submit
        run.actor_kind, run.actor_id, run.actor_name = by.kind.value, by.id, by.name
        run.save()
        wake()


def discard(*, run_id: UUID, by: Actor) -> None:
    """Throw a run away before it has begun. Requests that were sent stay."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked_soon(run_id)
        if run.state == RunState.DISCARDED:
            return
        rows = rows_of(run)
        begun = rows.filter(state=RowState.IMPORTED).exists()
        if begun or run.state not in {RunState.CHECKING, RunState.CHECKED, RunState.FAILED}:
            raise RunNotReady("Ein begonnener Import kann nicht verworfen werden.")
        rows.delete()
        end(run, RunState.DISCARDED)
        record_discarded(run, by)


def _locked_soon(run_id: UUID) -> ImportRun:
    """Return the locked run; nobody waits in front of a page while a large file is checked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
    try:
        return locked(run_id)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise RunNotReady(_BUSY) from error

"""Runs as the services hold them: locked, ended, told to the trail."""

from typing import Final
from uuid import UUID

from django.db import InterfaceError, OperationalError, ProgrammingError
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.directory.errors import DirectoryMissing
from centre.kernel import clock
from centre.kernel.actors import Actor, ActorKind
from centre.registry import selectors as registry
from centre.tenancy.context import require_tenant
from federation.outbox.errors import BacklogFull
from tenants.importers.errors import RunNotFound
from tenants.importers.models import ImportRow, ImportRun, RowState, RunState

_WORK: Final = "tenants.importers.tasks.work_off"  # by name: it stands above the services
_LIMIT_EXCEEDED: Final = "54"  # class of SQLSTATE: what is too large stays too large


def passes(error: Exception) -> bool:
    """Return whether an error says nothing about the file: the same step may succeed later.

    While its municipality is being deleted, every write is refused, whatever the file says.
    """
    if isinstance(error, OperationalError):
        return not getattr(error.__cause__, "sqlstate", "").startswith(_LIMIT_EXCEEDED)
    if isinstance(error, ProgrammingError) and _closed():
        return True
    return isinstance(error, InterfaceError | DirectoryMissing | BacklogFull)


def _closed() -> bool:
    return not registry.active().filter(schema_name=require_tenant().schema_name).exists()


def locked(run_id: UUID) -> ImportRun:
    """Return a run that nobody else changes until this transaction ends."""
    run = _for_update().filter(id=run_id).first()
    if run is None:
        raise RunNotFound
    return run


def claimed(run_id: UUID, *, wait: bool) -> ImportRun | None:
    """Return a run as `locked` does; without `wait` None where another worker is at it."""
    return locked(run_id) if wait else _for_update(skip=True).filter(id=run_id).first()


def _for_update(*, skip: bool = False) -> QuerySet[ImportRun]:
    # The content is up to 50 MB: only the check reads it, and saving leaves it alone.
    return ImportRun.objects.select_for_update(skip_locked=skip).defer("content")


def rows_of(run: ImportRun) -> QuerySet[ImportRow]:
    return ImportRow.objects.filter(run=run)


def end(run: ImportRun, state: RunState, problem: str = "") -> None:
    """Let a run be over. What the file held is not needed any more."""
    run.state, run.problem, run.waiting = state, problem, ""
    run.content, run.finished_at = b"", clock.now()
    run.save()


def actor_of(run: ImportRun) -> Actor:
    """Return who answers for a run."""
    return Actor(kind=ActorKind(run.actor_kind), id=run.actor_id, name=run.actor_name)


def record_checked(run: ImportRun) -> None:
    _record(AuditEvent.IMPORT_FILE_CHECKED, run, actor_of(run), rows=run.rows_total)


def record_imported(run: ImportRun) -> None:
    imported = rows_of(run).filter(state=RowState.IMPORTED).count()
    _record(AuditEvent.IMPORT_FILE_IMPORTED, run, actor_of(run), imported=imported)


def record_assigned(run: ImportRun, by: Actor, *, line: int, authority_id: UUID) -> None:
    _record(AuditEvent.IMPORT_ROW_ASSIGNED, run, by, line=line, authority=authority_id)


def record_discarded(run: ImportRun, by: Actor) -> None:
    _record(AuditEvent.IMPORT_FILE_DISCARDED, run, by)


def _record(event: AuditEvent, run: ImportRun, by: Actor, **said: object) -> None:
    detail = {"file": run.name, "digest": run.digest}
    detail |= {name: str(value) for name, value in said.items()}
    audit.record(events=[Entry(event=event, by=by, subject=str(run.id), detail=detail)])


def wake() -> None:
    """Have a worker look as soon as this transaction is committed."""
    import_string(_WORK).delay_on_commit()

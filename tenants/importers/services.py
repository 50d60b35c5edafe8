"""Writes of imports: take a file, check it, let a person decide, turn rows into requests.

A run can be interrupted at any moment. Its check is one transaction; its rows become requests in
chunks, each one transaction with the requests, so a row is imported once or not at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.directory import selectors as directory
from centre.kernel import clock
from centre.kernel.actors import Actor, ActorKind
from centre.tenancy.context import require_tenant
from federation.outbox.errors import BacklogFull
from tenants.cases import policies, wire
from tenants.cases import services as cases
from tenants.cases.drafts import RequestDraft
from tenants.cases.errors import DraftsInvalid
from tenants.importers import selectors
from tenants.importers.checking import check
from tenants.importers.errors import FileRefused, RunNotFound, RunNotReady
from tenants.importers.models import ImportRow, ImportRun, RowState, RunState
from tenants.importers.reading import MAX_BYTES
from tenants.importers.selectors import RunView

#: Rows that become requests in one transaction.
CHUNK: Final = 64

log = structlog.get_logger(__name__)


def start(*, name: str, chunks: Iterable[bytes], by: Actor) -> ImportRun:
    """Take a file and have it checked; return its run, the former one for the same bytes.

    Raises `FileRefused` if it is too large or empty.
    """
    policies.require_worker(by)
    content = _collect(chunks)
    digest = sha256(content).hexdigest()
    former = ImportRun.objects.filter(digest=digest).exclude(
        state__in=[RunState.DISCARDED, RunState.FAILED]
    )
    with transaction.atomic():
        if (found := former.first()) is not None:
            return found
        try:
            with transaction.atomic():
                run = ImportRun.objects.create(
                    name=name[:200],
                    digest=digest,
                    content=content,
                    actor_kind=by.kind.value,
                    actor_id=by.id,
                    actor_name=by.name,
                    created_at=clock.now(),
                )
        except IntegrityError:  # the same file, given twice at once
            return former.get()
        _wake()
    return run


def check_run(run_id: UUID) -> RunView:
    """Read and check the file of a run; repeating it begins anew."""
    with transaction.atomic():
        run = _locked(run_id)
        if run.state != RunState.CHECKING:
            return selectors.run(run_id)
        try:
            _check(run)
        except FileRefused as error:
            run.state, run.problem = RunState.FAILED, error.message
        run.save()
        detail = {"file": run.name, "digest": run.digest, "rows": str(run.rows_total)}
        _record(AuditEvent.IMPORT_FILE_CHECKED, run, detail)
    return selectors.run(run_id)


def _check(run: ImportRun) -> None:
    imported = ImportRow.objects.filter(state=RowState.IMPORTED).values_list("key", flat=True)
    checked = check(
        run,
        directory=directory.current(),
        own_authority=require_tenant().authority_id,
        known=set(imported),
    )
    _rows(run).delete()
    if not checked.rows:
        raise FileRefused("Die Datei hat eine Kopfzeile, aber keine Zeilen.")
    ImportRow.objects.bulk_create(checked.rows, batch_size=1_000)
    run.headers = list(checked.table.headers)
    run.delimiter, run.encoding = checked.table.delimiter, checked.table.encoding
    run.rows_total, run.sum_cents = len(checked.rows), checked.sum_cents
    run.problem = checked.problem
    run.state = RunState.FAILED if checked.problem else RunState.CHECKED


def choose(*, run_id: UUID, line: int, authority_id: UUID, by: Actor) -> None:
    """Decide to which authority an undecided row goes."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked(run_id)
        row = _rows(run).filter(line=line, state=RowState.UNDECIDED).first()
        if run.state not in {RunState.CHECKED, RunState.FINISHED} or row is None:
            raise RunNotReady("In dieser Zeile ist nichts zu entscheiden.")
        authority = directory.current().authority(authority_id)
        if authority is None or authority_id == require_tenant().authority_id:
            raise RunNotReady("Diese Behörde kann nicht ersucht werden. Wählen Sie eine andere.")
        draft = wire.read_record(RequestDraft, bytes(row.draft))
        row.draft = wire.write_record(replace(draft, requested_authority=authority_id))
        row.state, row.faults = RowState.GOOD, [each for each in row.faults if each["warning"]]
        row.save()
        if run.state == RunState.FINISHED:  # a late decision: the row follows the others
            run.state, run.finished_at = RunState.RUNNING, None
            run.save()
            _wake()


def confirm(*, run_id: UUID, submit: bool = True, by: Actor) -> None:
    """Let the good rows of a checked run become requests, or drafts without `submit`."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked(run_id)
        if run.state in {RunState.RUNNING, RunState.FINISHED}:
            return
        if run.state != RunState.CHECKED:
            raise RunNotReady(run.problem or None)
        run.state, run.submit = RunState.RUNNING, submit
        run.actor_kind, run.actor_id, run.actor_name = by.kind.value, by.id, by.name
        run.save()
        _wake()


def discard(*, run_id: UUID, by: Actor) -> None:
    """Throw a run away before it has begun. Requests that were sent stay."""
    policies.require_worker(by)
    with transaction.atomic():
        run = _locked(run_id)
        if run.state not in {RunState.CHECKING, RunState.CHECKED, RunState.FAILED}:
            raise RunNotReady("Ein begonnener Import kann nicht verworfen werden.")
        _rows(run).delete()
        run.state, run.content, run.finished_at = RunState.DISCARDED, b"", clock.now()
        run.save()


def run_import(run_id: UUID, *, progress: Callable[[RunView], None] | None = None) -> RunView:
    """Work a confirmed run off to its end; may be repeated after any interruption.

    Raises `BacklogFull` when the links are congested: what is left follows later.
    """
    while _import_chunk(run_id):
        if progress is not None:
            progress(selectors.run(run_id))
    return selectors.run(run_id)


def work_off() -> None:
    """Do what is due: check files, go on with confirmed runs."""
    due = ImportRun.objects.filter(state__in=[RunState.CHECKING, RunState.RUNNING])
    for run_id, state in due.order_by("created_at").values_list("id", "state"):
        try:
            if state == RunState.CHECKING:
                check_run(run_id)
            else:
                run_import(run_id)
        except BacklogFull as error:
            log.warning("import waits", run_id=str(run_id), reason=error.reason)


def _import_chunk(run_id: UUID) -> bool:
    """Turn the next rows into requests; return whether there may be more."""
    with transaction.atomic():
        run = _locked(run_id)
        if run.state != RunState.RUNNING:
            return False
        good = _rows(run).filter(state=RowState.GOOD).order_by("line")
        rows = _still_new(list(good[:CHUNK]))
        if rows:
            _import(run, rows)
        elif not good.exists():
            _finish(run)
            return False
    return True


def _still_new(rows: list[ImportRow]) -> list[ImportRow]:
    """Set aside rows that another run has imported since the check."""
    keys = [row.key for row in rows]
    imported = ImportRow.objects.filter(state=RowState.IMPORTED, key__in=keys)
    known = set(imported.values_list("key", flat=True))
    repeated = [row.id for row in rows if row.key in known]
    ImportRow.objects.filter(id__in=repeated).update(
        state=RowState.REPEATED, cells={}, draft=b"", faults=[]
    )
    return [row for row in rows if row.key not in known]


def _import(run: ImportRun, rows: list[ImportRow]) -> None:
    drafts = [wire.read_record(RequestDraft, bytes(row.draft)) for row in rows]
    by = _actor(run)
    try:
        with transaction.atomic():
            made = (
                cases.submit_requests(drafts=drafts, by=by)
                if run.submit
                else [cases.create_draft(draft=draft, by=by) for draft in drafts]
            )
    except DraftsInvalid as error:
        # Something has changed since the check, such as an authority that left the directory.
        for number, faults in error.faults.items():
            rows[number].state = RowState.FAULTY
            rows[number].faults = [
                {
                    "header": "Aktenzeichen",
                    "text": fault.text,
                    "hint": fault.hint,
                    "value": "",
                    "warning": False,
                }
                for fault in faults
            ]
        ImportRow.objects.bulk_update(rows, ["state", "faults"])
        return
    for row, case in zip(rows, made, strict=True):
        row.state, row.case_id = RowState.IMPORTED, case.id
        row.cells, row.draft, row.faults = {}, b"", []
    ImportRow.objects.bulk_update(rows, ["state", "case_id", "cells", "draft", "faults"])


def _finish(run: ImportRun) -> None:
    run.state, run.finished_at, run.content = RunState.FINISHED, clock.now(), b""
    run.save()
    imported = _rows(run).filter(state=RowState.IMPORTED).count()
    detail = {"file": run.name, "digest": run.digest, "imported": str(imported)}
    _record(AuditEvent.IMPORT_FILE_IMPORTED, run, detail)


def _collect(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_BYTES:
            raise FileRefused(
                f"Die Datei ist größer als {MAX_BYTES // 1024 // 1024} MB. Teilen Sie sie auf."
            )
    if not content.strip():
        raise FileRefused("Die Datei ist leer. Wählen Sie eine Datei mit Kopfzeile und Zeilen.")
    return bytes(content)


def _locked(run_id: UUID) -> ImportRun:
    run = ImportRun.objects.select_for_update().filter(id=run_id).first()
    if run is None:
        raise RunNotFound
    return run


def _actor(run: ImportRun) -> Actor:
    return Actor(kind=ActorKind(run.actor_kind), id=run.actor_id, name=run.actor_name)


def _record(event: AuditEvent, run: ImportRun, detail: dict[str, str]) -> None:
    entry = Entry(event=event, by=_actor(run), subject=str(run.id), detail=detail)
    audit.record(events=[entry])


def _rows(run: ImportRun) -> QuerySet[ImportRow]:
    return ImportRow.objects.filter(run=run)


def _wake() -> None:
    """Have the worker look as soon as this transaction is committed."""
    from tenants.importers.tasks import work_off as task

    task.delay_on_commit()

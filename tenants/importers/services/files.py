"""Taking a file and checking it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import batched
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from psycopg.types.json import Jsonb

from centre.directory import selectors as directory
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.tenancy import binary
from centre.tenancy.context import require_tenant
from tenants.cases import policies
from tenants.importers import selectors
from tenants.importers.checking import Check, mark_repeated
from tenants.importers.errors import FileRefused
from tenants.importers.models import ImportRow, ImportRun, RowState, RunState
from tenants.importers.reading import MAX_BYTES
from tenants.importers.selectors import Remains, RunView
from tenants.importers.services.runs import (
    claimed,
    end,
    locked,
    passes,
    record_checked,
    rows_of,
    wake,
)

#: Rows that are looked up and stored in one statement.
_BATCH: Final = 500
_CRASHED: Final = (
    "Beim Prüfen der Datei ist ein Fehler im Programm aufgetreten. Melden Sie ihn Ihrem "
    "Rechenzentrum."
)

log = structlog.get_logger(__name__)


def start(*, name: str, chunks: Iterable[bytes], by: Actor) -> ImportRun:
    """Take a file and have it checked; return its run.

    For the same bytes that is the former one, and `is_known`; it is checked anew where drafts that
    came of it were deleted. Raises `FileRefused` if the file is
    too large or empty.
    """
    policies.require_worker(by)
    run = _new_run(name, _collect(chunks), by)
    former = ImportRun.objects.filter(digest=run.digest).exclude(
        state__in=[RunState.DISCARDED, RunState.FAILED]
    )
    with transaction.atomic():
        if (found := former.defer("content").first()) is None:
            try:
                with transaction.atomic():
                    run.save(force_insert=True)
            except IntegrityError:  # the same file, given twice at once
                found = former.defer("content").get()
            else:
                wake()
                return run
    if found.state == RunState.FINISHED:
        found = _without_deleted(found.id, bytes(run.content))
    found.is_known = True
    return found


def _without_deleted(run_id: UUID, content: bytes) -> ImportRun:
    """Return a finished run, to be checked anew if drafts that came of it were deleted."""
    with transaction.atomic():
        run = locked(run_id)
        deleted = selectors.deleted().filter(run=run)
        if run.state == RunState.FINISHED and deleted.exists():
            deleted.delete()
            run.state, run.content, run.finished_at = RunState.CHECKING, content, None
            run.save()
            wake()
        return run


def check_run(run_id: UUID, *, wait: bool = True) -> RunView:
    """Read and check the file of a run; a run that is already checked stays as it is.

    Whatever is wrong with the file ends the run, with words for people. Without `wait` nothing
    happens where another worker is at it.
    """
    try:
        with transaction.atomic():
            run = claimed(run_id, wait=wait)
            if run is not None and run.state == RunState.CHECKING:
                _check(run)
                record_checked(run)
    except Exception as error:  # whatever it is: the run must not stay under way for ever
        if passes(error):
            raise
        log.exception("import check crashed", run_id=str(run_id))
        _give_up(run_id)
    return selectors.run(run_id)


def _check(run: ImportRun) -> None:
    try:
        with transaction.atomic():
            rows_of(run).exclude(state=RowState.IMPORTED).delete()
            kept = set(rows_of(run).values_list("line", flat=True))
            check = _pass(run)
            for rows in _batches(check):
                _store([row for row in rows if row.line not in kept])
    except FileRefused as error:
        end(run, RunState.FAILED, error.message)
        return
    run.headers = list(check.table.headers)
    run.delimiter, run.encoding = check.table.delimiter, check.table.encoding
    run.rows_total, run.sum_cents = check.count, check.sum_cents
    run.remark = check.remark
    if check.problem:
        end(run, RunState.FAILED, check.problem)
    elif kept and not rows_of(run).filter(state=RowState.GOOD).exists():
        end(run, RunState.FINISHED)  # others have imported what was deleted here
    else:
        run.state = RunState.CHECKED
        run.save()


def _give_up(run_id: UUID) -> None:
    with transaction.atomic():
        run = locked(run_id)
        if run.state == RunState.CHECKING:
            end(run, RunState.FAILED, _CRASHED)
            record_checked(run)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What an import would do: the counts, and what people would have to see to."""

    view: RunView
    remains: Remains


def rehearse(*, name: str, chunks: Iterable[bytes], shown: int, by: Actor) -> Rehearsal:
    """Check a file and keep nothing of it but a line in the trail.

    A run that somebody has begun with the same file stays as it is.
    """
    policies.require_worker(by)
    run = _new_run(name, _collect(chunks), by)
    check = _pass(run)
    counts: Counter[str] = Counter()
    left: list[ImportRow] = []
    changed: list[ImportRow] = []
    changed_count = drafts = 0
    for rows in _batches(check):
        counts.update(row.state for row in rows)
        wrong = [row for row in rows if row.state in {RowState.FAULTY, RowState.UNDECIDED}]
        left += wrong[: shown - len(left)]
        other = [row for row in rows if row.state == RowState.REPEATED and row.faults]
        changed += other[: shown - len(changed)]
        changed_count += len(other)
        drafts += selectors.drafts_of(rows)
    run.state = RunState.FAILED if check.problem else RunState.CHECKED
    run.problem, run.remark = check.problem, check.remark
    run.rows_total, run.sum_cents = check.count, check.sum_cents
    with transaction.atomic():
        record_checked(run)
    remains = Remains(
        left=tuple(left), changed=tuple(changed), changed_count=changed_count, drafts=drafts
    )
    return Rehearsal(selectors.view(run, counts), remains)


def _store(rows: Sequence[ImportRow]) -> None:
    for row in rows:
        for name in ("cells", "faults", "candidates"):
            setattr(row, name, Jsonb(getattr(row, name)))
    binary.insert(ImportRow, rows)


def _pass(run: ImportRun) -> Check:
    return Check(
        bytes(run.content),
        directory=directory.current(),
        own_authority=require_tenant().authority_id,
        run_id=run.id,
    )


def _batches(check: Check) -> Iterator[tuple[ImportRow, ...]]:
    """Yield the rows of a file, those marked that were imported before."""
    for rows in batched(check.rows(), _BATCH):
        mark_repeated(rows, selectors.imported([row.key for row in rows]))
        yield rows
    if not check.count:
        raise FileRefused("Die Datei hat eine Kopfzeile, aber keine Zeilen.")


def _new_run(name: str, content: bytes, by: Actor) -> ImportRun:
    return ImportRun(
        # A name from a file system may hold what neither text nor the database knows.
        name=name.encode(errors="replace").decode().replace("\0", "")[:200],
        digest=sha256(content).hexdigest(),
        content=content,
        actor_kind=by.kind.value,
        actor_id=by.id,
        actor_name=by.name,
        created_at=clock.now(),
    )


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

"""Brings the municipalities' schemas to this version, and tells how it went.

Schemas that have applied the same migrations form a group. The first of a group is migrated as
Django does it, the others by the statements that this recorded, where that is possible
(`tenancy.migrating`); the second one proves that these change a schema as Django does. Where Python
code is to be run, Django migrates each, several at a time.

What a schema has recorded as applied is the only truth, so the work can be interrupted anywhere and
goes on where it stopped. A schema that fails does not stop the others, unless it is the chosen
canary or the first ones of a group all fail.
"""

import operator
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog
from django.db import connection

from centre.kernel import clock
from centre.kernel.counting import counted
from centre.registry import schemas
from centre.registry.models import Upgrade, UpgradeOutcome
from centre.registry.schemas import Group, Schema
from centre.registry.selectors import MunicipalityUnknown
from centre.tenancy import catalog, crew, migrating
from centre.tenancy.context import public_scope
from centre.tenancy.locks import exclusively
from centre.tenancy.migrating import Fault, Recording

log = structlog.get_logger(__name__)

#: The lock of whoever migrates this centre.
LOCK = "migrate"
#: So many that fail before one succeeds speak against the migration, not against the schemas.
ENOUGH = 3
#: Schemas that were busy are tried again so often, when the others are done.
ROUNDS = 3
#: The journal is written after so many results.
_PAGE = 50
#: Fewer schemas are not worth the start of processes.
_WORTH_A_CREW = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the upgrade of one schema ended."""

    schema: Schema
    outcome: UpgradeOutcome
    milliseconds: int = 0
    problem: str = ""
    #: Somebody held a lock for too long; worth another try.
    busy: bool = False

    @property
    def next_step(self) -> str:
        """What the operator does now; empty if there is nothing to do."""
        if self.outcome == UpgradeOutcome.SKIPPED:
            return "Mend what the first ones failed at, then migrate again."
        if self.busy:
            return "A long transaction held its tables: migrate again when it has ended."
        if self.outcome == UpgradeOutcome.FAILED:
            return "Nothing of the failed step stayed. Mend the cause, then migrate again."
        return ""


def pending() -> list[Schema]:
    """Return the schemas that are not at this version. Needs the owner's login."""
    found = [schema for group in schemas.behind() for schema in group.schemas]
    return sorted(found, key=lambda schema: schema.name)


def reports() -> list[Upgrade]:
    """Return how each municipality's last upgrade went, failures first."""
    with public_scope():
        rows = Upgrade.objects.select_related("municipality").order_by("municipality__slug")
        return sorted(rows, key=lambda row: row.outcome != UpgradeOutcome.FAILED)


def upgrade(
    *,
    canary: str | None = None,
    by_statements: bool = True,
    processes: int | None = None,
    report: Callable[[Result], object],
    waiting: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Migrate the schemas that are not at this version; return how each one went.

    The municipality with the slug `canary` goes first; if it fails, nothing else is touched.
    Without `by_statements` every schema is migrated as Django does it. If somebody else is at it,
    calls `waiting` and waits. Raises `MunicipalityUnknown` for a canary that is not hosted here.
    """
    with exclusively(LOCK, waiting=waiting), ExitStack() as stack:
        journal = _Journal(report)
        stack.callback(journal.write)
        groups = schemas.behind()
        if canary is not None and not _fly(canary, groups, journal):
            for schema in (schema for group in groups for schema in group.schemas):
                journal.note(_skipped(schema, f"{canary} went first and failed"))
            return journal.results
        hands = processes or os.cpu_count() or 1
        for group in groups:
            for result in _upgrade(group, by_statements=by_statements, processes=hands):
                journal.note(result)
        for _ in range(ROUNDS):
            for result in [result for result in journal.results if result.busy]:
                journal.replace(result, _migrated(result.schema)[0])
        return journal.results


def _fly(canary: str, groups: list[Group], journal: "_Journal") -> bool:
    """Migrate the canary, if it needs it, and take it out of its group; say whether it lives."""
    for group in groups:
        for schema in group.schemas:
            if schema.slug == canary:
                result, _ = _migrated(schema)
                journal.note(result)
                group.schemas.remove(schema)
                return result.outcome != UpgradeOutcome.FAILED
    if canary not in {schema.slug for schema in schemas.hosted()}:
        raise MunicipalityUnknown(f"No municipality {canary!r} is hosted here.")
    return True


def _upgrade(group: Group, *, by_statements: bool, processes: int) -> Iterator[Result]:
    left = deque(group.schemas)
    model: _Model | None = None
    for _ in range(min(ENOUGH, len(left))):
        result, model = _migrated(left.popleft())
        yield result
        if model:
            break
    if model is None:
        yield from (_skipped(schema, f"the first {ENOUGH} failed") for schema in left)
        return
    if by_statements and group.accountable:
        if obstacle := model.recording.obstacle:
            log.info("tenant:schema:statements_not_enough", reason=obstacle)
        else:
            yield from _replayed(model, left)
    yield from _migrated_by_crew(left, processes)


def _skipped(schema: Schema, problem: str) -> Result:
    return Result(schema=schema, outcome=UpgradeOutcome.SKIPPED, problem=problem)


# -- as Django does it ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Model:
    """A schema that Django has migrated, and what that did."""

    schema: Schema
    recording: Recording
    change: "_Change"


#: What was not there before, and what is not there any more.
type _Change = tuple[frozenset[str], frozenset[str]]


def _migrated(schema: Schema) -> tuple[Result, _Model | None]:
    made: list[_Model] = []

    def work() -> None:
        with exclusively(schema.lock):
            before = _definitions(schema)
            recording = migrating.migrate(schema.name)
            made.append(_Model(schema, recording, _change(before, _definitions(schema))))

    result = _tried(schema, UpgradeOutcome.MIGRATED, work)
    return result, made[0] if made else None


def _migrated_by_crew(left: deque[Schema], processes: int) -> Iterator[Result]:
    if processes == 1 or len(left) < _WORTH_A_CREW:
        yield from (_migrated(schema)[0] for schema in left)
        return
    connection.close()
    by_name = {schema.name: schema for schema in left}
    jobs = [crew.Job(schema.name, schema.lock) for schema in left]
    for done in crew.migrate_all(jobs, processes=processes):
        yield _result(
            by_name[done.job.schema], UpgradeOutcome.MIGRATED, done.milliseconds, done.fault
        )


# -- by its statements ----------------------------------------------------------------------------


class _NotTheSame(Exception):
    """The statements did not change this schema as Django has changed the other one."""


def _replayed(model: _Model, left: deque[Schema]) -> Iterator[Result]:
    """Bring schemas along by what was recorded, as long as it can be trusted."""
    proven = False
    while left:
        schema = left[0]
        work = partial(_replay, model, schema, prove=not proven)
        try:
            result = _tried(schema, UpgradeOutcome.REPLAYED, work)
        except _NotTheSame as objection:
            log.warning("tenant:schema:distrusted", tenant=schema.slug, problem=str(objection))
            return
        left.popleft()
        proven = proven or result.outcome == UpgradeOutcome.REPLAYED
        yield result


def _replay(model: _Model, schema: Schema, *, prove: bool) -> None:
    before = _definitions(schema) if prove else frozenset()

    def check() -> None:
        change = _change(before, _definitions(schema))
        if differences := sorted(set().union(*map(operator.xor, change, model.change))):
            words = counted(len(differences), "difference", "differences")
            raise _NotTheSame(f"{words}, such as: {differences[0]}")

    migrating.replay_aftermath(schema.name, model=model.schema.name)
    steps = model.recording.steps
    migrating.replay(schema.name, steps, lock=schema.lock, check=check if prove else None)


def _definitions(schema: Schema) -> frozenset[str]:
    return catalog.definitions(schema.name, called={schema.role: "tenant"})


def _change(before: frozenset[str], after: frozenset[str]) -> _Change:
    return after - before, before - after


# -- what came of it ------------------------------------------------------------------------------


def _tried(schema: Schema, outcome: UpgradeOutcome, work: Callable[[], None]) -> Result:
    begin = time.monotonic()
    fault = None
    try:
        work()
    except _NotTheSame:
        raise
    except Exception as error:  # noqa: BLE001 -- a migration is any code, and others wait behind it
        fault = Fault.of(error)
        connection.close()
    return _result(schema, outcome, round((time.monotonic() - begin) * 1000), fault)


def _result(
    schema: Schema, outcome: UpgradeOutcome, milliseconds: int, fault: Fault | None
) -> Result:
    if fault is None:
        return Result(schema=schema, outcome=outcome, milliseconds=milliseconds)
    log.warning("tenant:schema:failed", tenant=schema.slug, busy=fault.busy)
    return Result(
        schema=schema,
        outcome=UpgradeOutcome.FAILED,
        milliseconds=milliseconds,
        problem=fault.words,
        busy=fault.busy,
    )


@dataclass(slots=True)
class _Journal:
    """What happened so far; written to the registry now and then, and at the end."""

    report: Callable[[Result], object]
    results: list[Result] = field(default_factory=list)
    _written: int = 0

    def note(self, result: Result) -> None:
        self.results.append(result)
        self.report(result)
        if len(self.results) - self._written >= _PAGE:
            self.write()

    def replace(self, old: Result, new: Result) -> None:
        """Note a second try instead of the first."""
        self.write()
        self.results.remove(old)
        self._written -= 1
        self.note(new)

    def write(self) -> None:
        now = clock.now()
        with public_scope():
            Upgrade.objects.bulk_create(
                [
                    Upgrade(
                        municipality_id=result.schema.municipality_id,
                        outcome=result.outcome,
                        problem=result.problem,
                        milliseconds=result.milliseconds,
                        at=now,
                    )
                    for result in self.results[self._written :]
                ],
                update_conflicts=True,
                unique_fields=["municipality"],
                update_fields=["outcome", "problem", "milliseconds", "at"],
            )
        self._written = len(self.results)

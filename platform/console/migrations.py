"""Brings a centre's database to this version: what all share first, then schema after schema.

How the municipalities' schemas are done is `centre.registry.upgrades`. Running it again goes on
where it stopped, and is a matter of a moment when there is nothing to do.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from centre.registry import upgrades
from centre.registry.models import UpgradeOutcome
from centre.registry.upgrades import Result
from centre.tenancy import migrating
from centre.tenancy.context import public_scope
from centre.tenancy.locks import exclusively
from centre.tenancy.migrating import Fault
from console.errors import ConsoleError

PUBLIC = "public"


class MigrationFailed(ConsoleError):
    """The database could not be brought to this version."""

    reason = "MIGRATION_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did."""

    shared: bool
    results: list[Result] = field(default_factory=list)
    seconds: float

    @property
    def failed(self) -> list[Result]:
        good = {UpgradeOutcome.MIGRATED, UpgradeOutcome.REPLAYED}
        return [result for result in self.results if result.outcome not in good]

    @property
    def counts(self) -> dict[str, int]:
        counts = Counter(result.outcome for result in self.results)
        return {outcome.value: counts[outcome] for outcome in UpgradeOutcome}

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome for machines."""
        return {
            "shared": self.shared,
            **self.counts,
            "seconds": round(self.seconds, 3),
            "municipalities": [
                {
                    "slug": result.schema.slug,
                    "outcome": result.outcome,
                    "milliseconds": result.milliseconds,
                    "problem": result.problem,
                    "next_step": result.next_step,
                }
                for result in self.results
            ],
        }

    def require_success(self) -> None:
        """Raise `MigrationFailed` that names the municipalities which are not at this version."""
        if not (failed := self.failed):
            return
        first = failed[0]
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise MigrationFailed(
            f"{first.schema.slug}{others} could not be migrated: {first.problem}.",
            hint=f"{first.next_step} `amtsbruecke migrate --status` tells of each.",
        )


def pending() -> list[str]:
    """Return the schemas that are not at this version, `public` first. Needs the owner's login."""
    shared = [PUBLIC] if _shared_is_behind() else []
    return shared + [schema.name for schema in upgrades.pending()]


def migrate(
    *,
    shared_only: bool = False,
    canary: str | None = None,
    by_statements: bool = True,
    processes: int | None = None,
    report: Callable[[str], object],
) -> Outcome:
    """Migrate what is pending, telling `report` of each schema; return what was done.

    `canary` goes first of all municipalities, and nothing follows if it fails. Raises
    `MigrationFailed` if the shared tables could not be migrated: then no municipality was touched.
    """
    begin = time.monotonic()

    def waiting() -> None:
        report("Somebody else is migrating this centre: waiting until they have finished.")

    if shared := _shared_is_behind():
        with exclusively(upgrades.LOCK, waiting=waiting):
            _migrate_shared(report)
    results: list[Result] = []
    if not shared_only:
        results = upgrades.upgrade(
            canary=canary,
            by_statements=by_statements,
            processes=processes,
            report=lambda result: report(line(result)),
            waiting=waiting,
        )
    return Outcome(shared=shared, results=results, seconds=time.monotonic() - begin)


def line(result: Result) -> str:
    """Return a line of the table about each municipality."""
    columns = f"{result.schema.slug:<40} {result.outcome:<9} {result.milliseconds:>7} ms"
    return f"{columns}  {result.problem} {result.next_step}".rstrip()


def _migrate_shared(report: Callable[[str], object]) -> None:
    begin = time.monotonic()
    try:
        migrating.migrate(PUBLIC)
    except DatabaseError as error:
        fault = Fault.of(error)
        raise MigrationFailed(
            f"The shared tables could not be migrated: {fault.words}.",
            hint="No municipality was touched. Mend the cause and run `amtsbruecke migrate` again.",
        ) from error
    report(f"shared tables: migrated in {time.monotonic() - begin:.1f} s")


def _shared_is_behind() -> bool:
    with public_scope():
        loader = MigrationLoader(connection)
        return bool(set(loader.graph.nodes) - set(loader.applied_migrations))

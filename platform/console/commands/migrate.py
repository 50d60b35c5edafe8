"""`amtsbruecke migrate`: bring the database to this version."""

import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from console.moments import moment
from console.roles import become

if TYPE_CHECKING:
    from console.migrations import Outcome


@click.command("migrate")
@click.option("--shared-only", is_flag=True, help="Leave the municipalities' schemas alone.")
@click.option("--canary", metavar="SLUG", help="This municipality first; if it fails, no other.")
@click.option("--one-by-one", is_flag=True, help="Let Django migrate each schema: slow, and plain.")
@click.option("--processes", type=click.IntRange(1, 64), help="So many schemas at a time.")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something is to do.")
@click.option("--status", is_flag=True, help="Change nothing; tell how each last one went.")
@click.option("--json", "as_json", is_flag=True, help="Tell what was done as one line of JSON.")
def command(
    *,
    shared_only: bool,
    canary: str | None,
    one_by_one: bool,
    check: bool,
    status: bool,
    processes: int | None,
    as_json: bool,
) -> None:
    """Migrate what all share, then each municipality's schema.

    Interrupted or failed, it goes on where it stopped when it is run again.
    """
    become("owner", at_once=True)
    from console.migrations import migrate, pending

    if check:
        todo = pending()
        for schema in todo:
            click.echo(f"to migrate: {schema}")
        raise SystemExit(1 if todo else 0)
    if status:
        _tell_status(as_json=as_json)
        return
    outcome = migrate(
        shared_only=shared_only,
        canary=canary,
        by_statements=not one_by_one,
        processes=processes,
        report=lambda text: click.echo(text, err=as_json),
    )
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False))
    else:
        click.echo(_summary(outcome))
    outcome.require_success()


def _summary(outcome: "Outcome") -> str:
    counts = [f"{count} {name}" for name, count in outcome.counts.items() if count]
    return f"{', '.join(counts) or 'nothing to do'} in {outcome.seconds:.1f} s"


def _tell_status(*, as_json: bool) -> None:
    from centre.registry import schemas, upgrades

    hosted = len(schemas.hosted())
    behind = {schema.slug for schema in upgrades.pending()}
    rows: list[dict[str, Any]] = [
        {
            "slug": row.municipality.slug,
            "at_this_version": row.municipality.slug not in behind,
            "outcome": row.outcome,
            "milliseconds": row.milliseconds,
            "at": row.at,
            "problem": row.problem,
        }
        for row in upgrades.reports()
    ]
    if as_json:
        click.echo(
            json.dumps(
                {"hosted": hosted, "behind": sorted(behind), "last": rows},
                ensure_ascii=False,
                default=partial(datetime.isoformat, timespec="seconds"),
            )
        )
        return
    for row in rows:
        version = "at this version" if row["at_this_version"] else "behind"
        columns = f"{row['slug']:<40} {version:<15} {row['outcome']:<9} {moment(row['at'])}"
        click.echo(f"{columns}  {row['problem']}".rstrip())
    click.echo(f"{len(behind)} of {hosted} behind")

"""`amtsbruecke import`: a file of requests from a municipality's finance system."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import ConsoleError
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from tenants.importers.selectors import RunView

_PART = 1024 * 1024
_SHOWN = 20


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", required=True, help="The requesting municipality, by its slug.")
@click.option("--dry-run", is_flag=True, help="Check only; send and keep nothing.")
@click.option("--drafts", is_flag=True, help="Keep the requests as drafts instead of sending.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def command(file: Path, *, tenant: str, dry_run: bool, drafts: bool, as_json: bool) -> None:
    """Check FILE and send its good rows; code 1 if rows are left over.

    Again with the same file goes on where an interrupted import stopped and sends nothing twice.
    """
    become("worker", "master_key_file", at_once=True)
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.importers import selectors, services
    from tenants.importers.models import RowState

    by = operator()
    with tenant_scope(registry.municipality(slug=tenant)):
        run = services.start(name=file.name, chunks=_parts(file), by=by)
        view = services.check_run(run.id)
        if view.state == "failed":
            raise ConsoleError(view.problem, hint="Nothing was imported.")
        if not dry_run:
            services.confirm(run_id=run.id, submit=not drafts, by=by)
            view = services.run_import(run.id, progress=None if as_json else _progress)
        left = [
            row
            for state in (RowState.FAULTY, RowState.UNDECIDED)
            for row in selectors.rows(run.id, state=state, limit=_SHOWN).rows
        ]
        if dry_run and view.state == "checked":
            services.discard(run_id=run.id, by=by)
    _tell(view, as_json=as_json)
    for row in [] if as_json else left:
        for fault in row.faults:
            if not fault["warning"]:
                click.echo(f"Zeile {row.line}, {fault['header']}: {fault['text']} {fault['hint']}")
    raise SystemExit(1 if view.faulty or view.undecided else 0)


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while part := source.read(_PART):
            yield part


def _progress(view: "RunView") -> None:
    click.echo(f"{view.imported} von {view.rows_to_do} Zeilen übernommen", err=True)


def _tell(view: "RunView", *, as_json: bool) -> None:
    counts = {
        "rows": view.rows_total,
        "good": view.good,
        "imported": view.imported,
        "repeated": view.repeated,
        "faulty": view.faulty,
        "undecided": view.undecided,
        "sum_cents": view.sum_cents,
        "state": view.state,
    }
    if as_json:
        click.echo(json.dumps({"run": str(view.id), **counts}))
        return
    from tenants.cases.money import format_euro

    click.echo(
        f"{view.rows_total} Zeilen, {format_euro(view.sum_cents)}: {view.good} fehlerfrei, "
        f"{view.imported} übernommen, {view.repeated} schon früher übernommen, "
        f"{view.faulty} fehlerhaft, {view.undecided} zu entscheiden"
    )

"""`amtsbruecke import`: a file of requests from a municipality's finance system."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from centre.kernel.counting import counted
from console.errors import ConsoleError
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from centre.kernel.actors import Actor
    from centre.registry.models import Municipality
    from tenants.importers.selectors import Remains, RunView

_PART = 1024 * 1024
_SHOWN = 20
_LEFT_OVER, _REFUSED = 1, 2


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", required=True, help="The requesting municipality, by its slug.")
@click.option("--dry-run", is_flag=True, help="Check only; send and keep nothing.")
@click.option("--drafts", is_flag=True, help="Keep the requests as drafts instead of sending.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def command(file: Path, *, tenant: str, dry_run: bool, drafts: bool, as_json: bool) -> None:
    """Check FILE and send its good rows.

    Ends with code 1 if rows are left over or, without --drafts, are still drafts; with 2 if the
    file is refused. Again with the same file goes on where an interrupted import stopped and sends
    nothing twice.
    """
    become("worker", "master_key_file", at_once=True)
    from django.db import DatabaseError
    from django.utils import translation

    from centre.tenancy.context import tenant_scope
    from tenants.importers import services
    from tenants.importers.errors import FileRefused

    result: tuple[RunView, Remains]
    try:
        with tenant_scope(_active(tenant)):
            if dry_run:
                rehearsal = services.rehearse(
                    name=file.name, chunks=_parts(file), shown=_SHOWN, by=operator()
                )
                result = rehearsal.view, rehearsal.remains
            else:
                result = _import(file, operator(), submit=not drafts, quiet=as_json)
    except FileRefused as error:
        _refuse(error.message, as_json=as_json)
    except DatabaseError:
        _active(tenant)  # says so where the municipality was closed meanwhile
        raise
    view, remains = result
    if as_json:
        click.echo(
            json.dumps({"run": None if dry_run else str(view.id), **_numbers(view, remains)})
        )
    else:
        with translation.override("en"):
            _tell(view, remains, drafts=drafts)
    if view.state == "failed":
        raise SystemExit(_REFUSED)
    waiting = 0 if dry_run else view.good
    unsent = 0 if drafts else remains.drafts
    raise SystemExit(_LEFT_OVER if view.faulty or view.undecided or waiting or unsent else 0)


def _active(slug: str) -> "Municipality":
    """Return a municipality that works; raise `ConsoleError` that says what another one is."""
    from centre.registry import selectors as registry
    from centre.registry.models import MunicipalityState

    found = registry.municipality(slug=slug)
    if found.state != MunicipalityState.ACTIVE:
        raise ConsoleError(
            f"{slug} is {found.state}: nothing can be imported there.",
            hint="`amtsbruecke tenant list` tells of all; `tenant resume` opens a suspended one.",
        )
    return found


def _import(file: Path, by: "Actor", *, submit: bool, quiet: bool) -> "tuple[RunView, Remains]":
    from centre.tenancy.locks import exclusively
    from federation.outbox.errors import BacklogFull
    from tenants.importers import selectors, services

    run = services.start(name=file.name, chunks=_parts(file), by=by)
    # One after the other, so that each tells what it has imported itself.
    with exclusively(f"import {run.id}", waiting=lambda: None if quiet else _busy()):
        before = view = services.check_run(run.id)
        if view.state == "checked":
            services.confirm(run_id=run.id, submit=submit, by=by)
        try:
            view = services.run_import(run.id, progress=None if quiet else _progress)
        except BacklogFull:  # the run says so itself, and a worker goes on with it
            view = selectors.run(run.id)
        return view.since(before), selectors.remains(run.id, limit=_SHOWN)


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while part := source.read(_PART):
            yield part


def _busy() -> None:
    click.echo(
        "This file is being imported just now. The command waits until that is done.", err=True
    )


def _progress(view: "RunView") -> None:
    click.echo(f"{view.rows_done} of {_rows(view.rows_to_do)} imported", err=True)


def _rows(number: int) -> str:
    return counted(number, "row", "rows")


def _refuse(problem: str, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"run": None, "state": "failed", "problem": problem}))
    else:
        click.echo(f"{click.style('Error:', fg='red')} {problem}", err=True)
    raise SystemExit(_REFUSED)


def _numbers(view: "RunView", remains: "Remains") -> dict[str, int | str]:
    return {
        "rows": view.rows_total,
        "good": view.good,
        "imported": view.imported,
        "repeated": view.repeated,
        "changed": remains.changed_count,
        "drafts": remains.drafts,
        "faulty": view.faulty,
        "undecided": view.undecided,
        "sum_cents": view.sum_cents,
        "state": view.state,
        "problem": view.problem,
        "remark": view.remark,
    }


def _tell(view: "RunView", remains: "Remains", *, drafts: bool) -> None:
    from tenants.cases.money import format_euro
    from tenants.web.phrases import say

    if view.rows_total:
        click.echo(
            f"{_rows(view.rows_total)}, {format_euro(view.sum_cents)}: {view.good} good, "
            f"{view.imported} imported, {view.repeated} imported before, "
            f"{view.faulty} faulty, {view.undecided} to decide"
        )
    for words in filter(None, (view.remark, view.waiting)):
        click.echo(say(words))
    _tell_left(view, remains)
    _tell_former(remains, drafts=drafts)
    if view.problem:
        click.echo(f"{click.style('Error:', fg='red')} {say(view.problem)}", err=True)
        if not view.imported:
            click.echo("Nothing was imported.", err=True)


def _tell_left(view: "RunView", remains: "Remains") -> None:
    from tenants.web.phrases import told

    for row in remains.left:
        for fault in row.faults:
            if not fault["warning"]:
                words = f"{told(fault, 'text')} {told(fault, 'hint')}"
                click.echo(f"Line {row.line}, {fault['header']}: {words}")
    if (more := view.faulty + view.undecided - len(remains.left)) > 0:
        words = counted(more, "more row", "more rows")
        click.echo(f"… and {words}; the file of faults on the page Import has all.")


def _tell_former(remains: "Remains", *, drafts: bool) -> None:
    from tenants.web.phrases import told

    for row in remains.changed:
        for fault in row.faults:
            words = f"{told(fault, 'text')} {told(fault, 'hint')}"
            click.echo(f"Line {row.line}, {row.reference}: {words}")
    if (more := remains.changed_count - len(remains.changed)) > 0:
        click.echo(f"… and {more} more with other content; the page Import has all.")
    if remains.drafts and not drafts:
        click.echo(
            f"Still {'a draft' if remains.drafts == 1 else 'drafts'}, not submitted:"
            f" {remains.drafts}. Submit what is meant on the worklist, under Entwürfe."
        )

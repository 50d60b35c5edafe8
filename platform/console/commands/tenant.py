"""`amtsbruecke tenant`: the municipalities of a centre. Each command calls one service."""

import json
import sys
from pathlib import Path
from typing import TextIO
from uuid import UUID

import click

from centre.kernel.counting import counted
from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("tenant")
def command() -> None:
    """Create, list, suspend, delete and export municipalities."""


@command.command("create")
@click.argument("slug")
@click.option("--name", required=True, help="Official name, such as 'Minden, Stadt'.")
@click.option("--ags", required=True, help="Amtlicher Gemeindeschlüssel, 8 digits.")
@click.option("--ars", required=True, help="Amtlicher Regionalschlüssel, 12 digits.")
@click.option("--authority-id", type=click.UUID, help="Its identifier in the directory, if any.")
@click.option("--admin-login", help="Login of the first administrator; asks for a password.")
@click.option("--admin-name", help="Name of the first administrator.")
@click.option("--admin-password-stdin", is_flag=True, help="Read the password from the input.")
def create(
    *,
    slug: str,
    name: str,
    ags: str,
    ars: str,
    authority_id: UUID | None,
    admin_login: str | None,
    admin_name: str | None,
    admin_password_stdin: bool,
) -> None:
    """Give a municipality its schema, role, keys and first administrator. May be repeated."""
    become("owner", "master_key_file", at_once=True)
    from django.utils import translation

    from centre.registry import services

    administrator = None
    if admin_login:
        administrator = services.Administrator(
            login=admin_login,
            name=admin_name or admin_login,
            password=_password(from_input=admin_password_stdin),
        )
    with translation.override("en"):
        municipality = services.create_tenant(
            slug=slug,
            name=name,
            ags=ags,
            ars=ars,
            by=operator(),
            authority_id=authority_id,
            administrator=administrator,
        )
    click.echo(f"{municipality.slug}: {municipality.state}, authority {municipality.authority_id}")


@command.command("create-many")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Create nothing; tell what is wrong, line by line.")
@click.option("--skip-faulty", is_flag=True, help="Leave faulty lines out and create the others.")
@click.option("--passwords", type=_FILE, help="Where the administrators' first passwords go.")
@click.option("--json", "as_json", is_flag=True, help="Tell the outcome as one line of JSON.")
def create_many(
    *, file: TextIO, dry_run: bool, skip_faulty: bool, passwords: Path | None, as_json: bool
) -> None:
    """Create the municipalities of a CSV file: slug,name,ags,ars[,authority_id][,administrator].

    Interrupted, it goes on where it stopped when it is run again. Nothing is created if a line is
    faulty, unless --skip-faulty is given.
    """
    become("owner", "master_key_file", at_once=True)
    from centre.registry import lists
    from centre.registry.services import Founding, FoundingOutcome
    from console import founding

    rows = lists.read(_text(file))
    faulty = [row for row in rows if row.faults]
    for row in faulty:
        click.echo(f"line {row.line} ({row.slug}): {'; '.join(row.faults)}", err=True)
    there = sum(row.is_there for row in rows if not row.faults)
    click.echo(
        f"{counted(len(rows), 'line', 'lines')}: {len(rows) - len(faulty) - there} to create,"
        f" {there} there already, {len(faulty)} faulty",
        err=True,
    )
    if dry_run:
        outcome = founding.Outcome(foundings=[], faulty=faulty, seconds=0.0)
    elif faulty and not skip_faulty:
        raise founding.ListRefused(
            f"{counted(len(faulty), 'line is', 'lines are')} faulty; nothing was created.",
            hint="Mend them, or leave them out with --skip-faulty.",
        )
    else:

        def report(number: int, each: Founding, seconds: float) -> None:
            words = f"{number:>5}/{len(rows) - len(faulty)} {each.slug:<40} {each.outcome}"
            took = f" in {seconds * 1000:.0f} ms" if each.outcome == FoundingOutcome.CREATED else ""
            click.echo(f"{words}{took} {each.problem}".rstrip(), err=True)

        outcome = founding.create(rows, by=operator(), passwords=passwords, report=report)
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False))
    else:
        created = outcome.count(FoundingOutcome.CREATED)
        click.echo(f"{created} created in {outcome.seconds:.1f} s")
    outcome.require_success()


def _text(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"the file is not in UTF-8 (at byte {error.start})") from error


@command.command("list")
def list_tenants() -> None:
    """List the municipalities hosted here."""
    become("owner", at_once=True)
    from centre.registry import selectors

    for municipality in selectors.hosted():
        click.echo(
            f"{municipality.slug:<24} {municipality.state:<10} {municipality.ars} "
            f"{municipality.authority_id} {municipality.name}"
        )


@command.command("suspend")
@click.argument("slug")
def suspend(slug: str) -> None:
    """Close a municipality's doors; what arrives for it waits."""
    become("owner", at_once=True)
    from centre.registry import services

    changed = services.suspend_tenant(slug=slug, by=operator())
    click.echo(f"{slug}: {'suspended' if changed else 'is suspended already'}")


@command.command("resume")
@click.argument("slug")
def resume(slug: str) -> None:
    """Open a suspended municipality's doors again."""
    become("owner", at_once=True)
    from centre.directory import selectors
    from centre.directory.records import ACTIVE
    from centre.registry import selectors as registry
    from centre.registry import services

    changed = services.resume_tenant(slug=slug, by=operator())
    click.echo(f"{slug}: {'active' if changed else 'is active already'}")
    directory = selectors.present()
    ours = registry.municipality(slug=slug).authority_id
    listed = directory.authority(ours) if directory else None
    if listed is not None and listed.state != ACTIVE:
        click.secho(
            "The directory lists it as suspended, so letters still wait: make an entry again"
            " (amtsbruecke directory entry), for the umbrella to publish.",
            fg="yellow",
        )


@command.command("delete")
@click.argument("slug")
@click.option("--export-to", type=_FILE, required=True, help="All rows are written there first.")
@click.option(
    "--confirm",
    default="",
    metavar="WORDS",
    help="Without it, the command says what to write here.",
)
def delete(slug: str, export_to: Path, confirm: str) -> None:
    """Export a municipality, then remove its schema, role and keys; the trail stays.

    Others are told what is not done any more, so its letters are signed one last time. Interrupted,
    the same command finishes it; of one that is done it says when, and where the archive lies.
    """
    become("owner", "master_key_file", at_once=True)
    from centre.registry import deletion

    try:
        found = deletion.delete_tenant(
            slug=slug, confirm=confirm, export_to=export_to, by=operator()
        )
    except deletion.NotConfirmed as error:
        raise ConsoleError(
            error.message, hint="Nothing was changed. These words belong behind --confirm."
        ) from error
    archive = found.archive or "an archive of which the trail does not say where it lies"
    click.echo(f"{slug}: deleted {moment(found.at)}; what it had is in {archive}")
    _tell_who_still_lists_it(slug)


def _tell_who_still_lists_it(slug: str) -> None:
    """Name the next step while the directory says that the authority is at home here."""
    from django.conf import settings

    from centre.directory import selectors as directory
    from centre.registry import selectors as registry

    authority_id = registry.founded().get(slug=slug).authority_id
    in_force = directory.present()
    listed = in_force.authority(authority_id) if in_force else None
    if listed is not None and listed.home_centre == settings.AMTSBRUECKE.centre:
        click.echo(
            "Others may still write to it, since the directory lists it. Publish one without it:"
            " `amtsbruecke directory areas > AREAS` and `amtsbruecke directory entry AREAS ENTRY"
            " --name NAME` here, then `amtsbruecke directory publish ENTRY` at the umbrella."
        )


@command.command("export")
@click.argument("slug")
@click.argument("path", type=_FILE)
def export(slug: str, path: Path) -> None:
    """Write all that belongs to a municipality into one file.

    Exit code 1 if it lacks files that are gone or broken; all else is in it.
    """
    become("owner", at_once=True)
    from centre.registry import services

    found = services.export_tenant(slug=slug, path=path, by=operator())
    rows = sum(member.rows for member in found.members)
    click.echo(
        f"{slug}: {counted(rows, 'row', 'rows')}"
        f" of {counted(len(found.members), 'table', 'tables')}"
        f" and {counted(len(found.files), 'file', 'files')} exported to {path}"
    )
    if found.lost_files:
        click.echo(
            f"{counted(len(found.lost_files), 'file is', 'files are')} gone or broken (lost_files"
            " in manifest.json): restore from the back-up, and export again"
            " (docs/guides/operating.md).",
            err=True,
        )
        raise SystemExit(1)


def _password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise click.UsageError(
            "A password is asked for at a terminal. Elsewhere: --admin-password-stdin"
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))

"""`amtsbruecke evidence`: a case's deliveries in one file, and its examination by anybody."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from console.errors import ConsoleError
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from federation.wire.evidence import Finding, Verdict

_MAX_FILE = 256 * 1024 * 1024
_STATES = {
    None: "noch keine Quittung / no receipt yet",
    1: "zugestellt / delivered",
    2: "zugestellt / delivered",
    3: "abgewiesen / refused",
    4: "zurückgestellt / deferred",
    5: "zurückgezogen / taken back",
}


@click.group("evidence")
def command() -> None:
    """Export the evidence of a case; verify such a file offline."""


@command.command("export")
@click.argument("case")
@click.option("--tenant", required=True, help="The municipality whose case it is, by its slug.")
@click.option("--into", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
def export(case: str, *, tenant: str, into: Path | None) -> None:
    """Write requests, receipts and directory of CASE (its reference or id) into one file."""
    become("worker", "master_key_file", at_once=True)
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.cases.evidence import export_evidence
    from tenants.cases.models import Case

    with tenant_scope(registry.municipality(slug=tenant)):
        found = (
            Case.objects.filter(id=case) if _is_id(case) else Case.objects.filter(reference=case)
        )
        case_id = found.values_list("id", flat=True).first()
        if case_id is None:
            raise ConsoleError(
                f"{tenant} has no case {case}.", hint="Use the reference that the case page shows."
            )
        content = export_evidence(case_id=case_id, by=operator())
    target = into or Path(f"nachweis-{case}.zip")
    target.write_bytes(content)
    click.echo(f"{target}: {len(content)} bytes. Verify: amtsbruecke evidence verify {target}")


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--umbrella-key", help="Hex Ed25519 key of the umbrella organisation.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def verify(file: Path, *, umbrella_key: str | None, as_json: bool) -> None:
    """Check FILE without any database; ends with code 1 if something in it is not proven."""
    from federation.wire import evidence

    if file.stat().st_size > _MAX_FILE:
        raise ConsoleError(f"{file} is too large to be evidence.", hint="Check the file.")
    verdict = evidence.verify(file.read_bytes(), umbrella_key=_key(umbrella_key))
    if as_json:
        click.echo(json.dumps({**asdict(verdict), "holds": verdict.holds}, default=_plain))
    else:
        _print(verdict)
    raise SystemExit(0 if verdict.holds else 1)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _key(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ConsoleError(
            "The umbrella's key is not hexadecimal.", hint="It has 64 hexadecimal digits."
        ) from error


def _print(verdict: "Verdict") -> None:
    click.echo(f"Vorgang / case      {verdict.case_reference} ({verdict.case_id})")
    click.echo(f"Erstellt / exported {verdict.exported_at}")
    click.echo(f"Verzeichnisschlüssel / directory key {verdict.anchor}")
    if not verdict.anchor_given:
        click.echo(
            "  Dieser Schlüssel steht in der Datei selbst. Vergleichen Sie ihn mit dem\n"
            "  veröffentlichten: --umbrella-key. / The file names this key itself: compare it."
        )
    for number, finding in enumerate(verdict.findings, start=1):
        _print_finding(number, finding)
    for problem in verdict.problems:
        click.secho(f"NICHT BEWIESEN / NOT PROVEN: {problem}", fg="red")
    if verdict.holds:
        click.secho("Alles bewiesen / everything proven", fg="green")
    else:
        click.secho("Nicht alles ist bewiesen / not everything is proven", fg="red")


def _print_finding(number: int, finding: "Finding") -> None:
    state = _STATES[finding.status]
    at = f" {finding.delivered_at:%Y-%m-%d %H:%M:%S} UTC" if finding.delivered_at else ""
    content = "Inhalt bewiesen" if finding.content_proven else "ohne Inhalt"
    way = f"{finding.kind}: {finding.sender} -> {finding.recipient}"
    click.echo(f"{number:>3}. {way}: {state}{at}; {content}")
    for problem in finding.problems:
        click.secho(f"     NICHT BEWIESEN / NOT PROVEN: {problem}", fg="red")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

"""`amtsbruecke evidence`: a case's deliveries in one file, and its examination by anybody."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from centre.kernel.files import new_private_file
from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from federation.wire.examination import Finding, Verdict

_MAX_FILE = 256 * 1024 * 1024
_KEY_SIZE = 32
_STATES = {
    None: "Zustellung nicht bewiesen / delivery not proven",
    1: "zugestellt / delivered",
    2: "zugestellt / delivered",
    3: "abgewiesen / refused",
    4: "zurückgestellt / deferred",
    5: "zurückgezogen / taken back",
}
_CONTENT = {True: "Inhalt bewiesen / content proven", False: "ohne Inhalt / without content"}
#: By `Ruling`, which is not imported here: `--help` is quick.
_EXIT_CODES = {"proven": 0, "partly": 3, "refuted": 1}
_RULINGS = {
    "proven": ("Alles bewiesen / everything proven", "green"),
    "partly": ("Bewiesen, aber nicht vollständig / proven, but not complete", "yellow"),
    "refuted": ("Nicht alles ist bewiesen / not everything is proven", "red"),
}


@click.group("evidence")
def command() -> None:
    """Export the evidence of a case; verify such a file offline."""


@command.command("export")
@click.argument("case")
@click.option("--tenant", required=True, help="The municipality whose case it is, by its slug.")
@click.option("--into", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
def export(case: str, *, tenant: str, into: Path | None) -> None:
    """Write requests, receipts and directory of CASE (its reference or id) into a new file."""
    become("worker", "master_key_file", at_once=True)
    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from tenants.cases import selectors as cases
    from tenants.cases.errors import CaseNotFound
    from tenants.cases.evidence import export_evidence

    with tenant_scope(registry.municipality(slug=tenant)):
        try:
            case_id = cases.case_named(case)
        except CaseNotFound as error:
            raise ConsoleError(
                f"{tenant} has no case {case}.", hint="Use the reference that the case page shows."
            ) from error
        target = into or Path(f"nachweis-{case}.zip")
        try:
            with new_private_file(target) as file:
                size = file.write(export_evidence(case_id=case_id, by=operator()))
        except FileExistsError as error:
            raise ConsoleError(
                f"{target} is there already, and no file is replaced.",
                hint="Name another one with --into, or move that one away.",
            ) from error
    click.echo(f"{target}: {size} bytes. Verify: amtsbruecke evidence verify {target}")


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--umbrella-key",
    "umbrella_keys",
    multiple=True,
    help="Hex Ed25519 key of the umbrella organisation; several if it has renewed its key.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def verify(file: Path, *, umbrella_keys: tuple[str, ...], as_json: bool) -> None:
    """Check FILE without any database.

    Exit code 0: everything is proven. 3: all that the file holds is proven, but something is
    missing in it, such as a receipt. 1: something is not what the file says. 2: it is no evidence.
    """
    from federation.wire import examination
    from tenants.cases.wire import reference_in

    if file.stat().st_size > _MAX_FILE:
        raise ConsoleError(f"{file} is too large to be evidence.", hint="Check the file.")
    verdict = examination.verify(
        file.read_bytes(),
        umbrella_keys=[_key(each) for each in umbrella_keys],
        reference_in=reference_in,
    )
    if as_json:
        click.echo(json.dumps({**asdict(verdict), "ruling": verdict.ruling}, default=_plain))
    else:
        _print(verdict)
    raise SystemExit(_EXIT_CODES[verdict.ruling])


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE:
        raise ConsoleError(
            f"{text!r} is no key of an umbrella organisation.",
            hint="A key has 64 hexadecimal digits: AMTSBRUECKE_UMBRELLA_KEYS in a centre's"
            " settings, or what the umbrella publishes. What `verify` prints is its short name.",
        )
    return key


def _say(line: str, colour: str | None = None) -> None:
    """Print one line. What the file says may be made to look like our verdict, so no controls."""
    click.secho(
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line),
        fg=colour,
    )


def _print(verdict: "Verdict") -> None:
    _say(f"Vorgang / case {verdict.case_reference} ({verdict.case_id})")
    _say(f"Ausgestellt / exported {moment(verdict.exported_at)}")
    _say(f"  von / by {verdict.exported_by}. Diesen Zeitpunkt, und dass danach nichts mehr")
    _say("  kam, sagt nur sie selbst. / Its own word: this time, and that nothing came later.")
    for anchor in verdict.anchors:
        _say(f"Verzeichnisschlüssel / directory key {anchor}")
    if verdict.anchors and not verdict.anchors_given:
        _say("  Das sagt die Datei selbst. Vergleichen Sie es mit dem veröffentlichten Schlüssel:")
        _say("  --umbrella-key. / The file itself says so: compare it with the published key.")
    for number, finding in enumerate(verdict.findings, start=1):
        _print_finding(number, finding)
    _print_faults(verdict, indent="")
    words, colour = _RULINGS[verdict.ruling]
    _say(words, colour)


def _print_finding(number: int, finding: "Finding") -> None:
    state = _STATES[finding.status]
    at = f" {moment(finding.delivered_at)}" if finding.delivered_at else ""
    content = _CONTENT[finding.content_proven]
    way = f"{finding.kind}: {finding.sender} -> {finding.recipient}"
    _say(f"{number:>3}. {way}: {state}{at}; {content}")
    _print_faults(finding, indent="     ")


def _print_faults(source: "Finding | Verdict", *, indent: str) -> None:
    for problem in source.problems:
        _say(f"{indent}NICHT BEWIESEN / NOT PROVEN: {problem}", "red")
    for gap in source.gaps:
        _say(f"{indent}FEHLT / MISSING: {gap}", "yellow")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

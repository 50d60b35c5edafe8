"""`amtsbruecke audit`: is the trail as it was written?"""

import json
from dataclasses import asdict
from pathlib import Path

import click

from centre.kernel.counting import counted
from console.errors import ConsoleError
from console.moments import moment
from console.roles import become

_NO_HEAD_YET = "No head is signed yet: the worker does it once a minute. Does it run?"
_NO_HEAD_AT_AN_UMBRELLA = (
    "There are no signed heads: the worker signs them, and an umbrella has none."
    " `amtsbruecke audit verify` checks its trail."
)


@click.group("audit")
def command() -> None:
    """Check the audit trail, and keep it from being cut."""


@command.command("verify")
@click.argument("slugs", metavar="[MUNICIPALITY]...", nargs=-1)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with signed heads that were kept elsewhere: what `audit heads --json` printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each chain.")
def verify(*, slugs: tuple[str, ...], against: Path | None, as_json: bool) -> None:
    """Compute every chain anew, compare entries, and check what the centre has signed.

    Without names: every chain that there is or should be, the centre's own too. Exit code 1 if
    anything differs or is missing.
    """
    become("owner", at_once=True)
    from centre.audit import heads, selectors
    from centre.registry import selectors as registry

    kept = heads.from_lines(_lines(against)) if against else []
    if slugs:
        names = [registry.municipality(slug=slug).tenant_role for slug in slugs]
    else:
        names = sorted({*_expected(), *selectors.chains(), *(head.tenant_role for head in kept)})
    check = heads.signature_check()
    found = [selectors.verify(name, check_signature=check, kept=kept) for name in names]
    for result in found:
        if as_json:
            click.echo(json.dumps({**asdict(result), "intact": result.intact}))
            continue
        word = "intact" if result.intact else "NOT INTACT"
        click.echo(
            f"{result.chain}: {word}, {counted(result.entries, 'entry', 'entries')},"
            f" signed up to {result.signed_up_to}"
        )
        for problem in result.problems:
            click.echo(f"  {problem}")
    if not found:
        click.echo("There is no entry yet.")
    if not all(result.intact for result in found):
        raise SystemExit(1)


@command.command("heads")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each chain.")
def heads(*, as_json: bool) -> None:
    """Print the newest signed head of every chain, to keep where this centre cannot write.

    Whoever owns the database could delete entries and their signatures together. `audit verify
    --against` shows it, with the lines that this prints (`--json`) and somebody else has kept.
    """
    become("owner", at_once=True)
    from django.conf import settings

    from centre.audit import heads

    newest = list(heads.newest())
    if not newest:
        umbrella = settings.AMTSBRUECKE.role == "umbrella"
        click.echo(_NO_HEAD_AT_AN_UMBRELLA if umbrella else _NO_HEAD_YET, err=True)
    for head in newest:
        if as_json:
            click.echo(heads.to_line(head))
        else:
            digest = bytes(head.digest).hex()
            click.echo(f"{head.tenant_role}: {head.number} {digest} {moment(head.at)}")


def _expected() -> set[str]:
    """Return the chains that must be there: every municipality was founded, by the centre."""
    from centre.audit.chain import CENTRE
    from centre.registry import selectors as registry

    towns = set(registry.founded().values_list("tenant_role", flat=True))
    return towns | {CENTRE} if towns else towns


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except ValueError as error:
        raise ConsoleError(
            f"{path} is no text.", hint="Give what `amtsbruecke audit heads --json` printed."
        ) from error

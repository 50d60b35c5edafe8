"""`amtsbruecke audit`: is the trail as it was written?"""

import json
from dataclasses import asdict

import click

from console.roles import become


@click.group("audit")
def command() -> None:
    """Check the audit trail."""


@command.command("verify")
@click.argument("slugs", metavar="[MUNICIPALITY]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each chain.")
def verify(*, slugs: tuple[str, ...], as_json: bool) -> None:
    """Compute every chain anew, compare entries, and check what the centre has signed.

    Without names: every chain there is, the centre's own too. Exit code 1 if anything differs.
    """
    become("owner", at_once=True)
    from centre.audit import heads, selectors
    from centre.registry import selectors as registry

    named = [registry.municipality(slug=slug).tenant_role for slug in slugs]
    check = heads.signature_check()
    found = [
        selectors.verify(chain, check_signature=check) for chain in named or selectors.chains()
    ]
    for result in found:
        if as_json:
            click.echo(json.dumps({**asdict(result), "intact": result.intact}))
            continue
        word = "intact" if result.intact else "NOT INTACT"
        click.echo(
            f"{result.chain}: {word}, {result.entries} entries, signed up to {result.signed_up_to}"
        )
        for problem in result.problems:
            click.echo(f"  {problem}")
    if not found:
        click.echo("There is no entry yet.")
    if not all(result.intact for result in found):
        raise SystemExit(1)

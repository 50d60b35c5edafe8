"""`amtsbruecke audit`: is the trail as it was written?"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from console.roles import become

if TYPE_CHECKING:
    from centre.audit.models import TrailHead


@click.group("audit")
def command() -> None:
    """Check the audit trail."""


@command.command("verify")
@click.argument("slugs", metavar="[MUNICIPALITY]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each chain.")
def verify(*, slugs: tuple[str, ...], as_json: bool) -> None:
    """Compute every chain anew, compare entries, and check what the centre has signed.

    Without names: all municipalities and the centre's own chain. Exit code 1 if anything differs.
    """
    become("owner", at_once=True)
    from centre.audit import chain, selectors
    from centre.registry import selectors as registry

    municipalities = [registry.municipality(slug=slug) for slug in slugs] or registry.hosted()
    roles = [municipality.tenant_role for municipality in municipalities]
    check = _check_signature()
    found = [
        selectors.verify(role, check_signature=check)
        for role in (roles if slugs else [*roles, chain.CENTRE])
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
    if not all(result.intact for result in found):
        raise SystemExit(1)


def _check_signature() -> "Callable[[TrailHead, bytes], bool]":
    """Return the check against this centre's own public keys."""
    from centre.keys import keystore
    from centre.keys.errors import SignatureInvalid
    from centre.keys.sign import AUDIT_HEAD, VerifyKey

    keys = {half.kid: VerifyKey.from_bytes(half.raw) for half in keystore.centre_public_keys()}

    def check(head: "TrailHead", message: bytes) -> bool:
        if head.kid not in keys:
            return False
        try:
            keys[head.kid].verify(
                context=AUDIT_HEAD, message=message, signature=bytes(head.signature)
            )
        except SignatureInvalid:
            return False
        return True

    return check

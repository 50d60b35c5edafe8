"""`amtsbruecke doctor`: is this centre fit to run?"""

import click

from console.roles import become

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command("doctor")
def command() -> None:
    """Check versions, secrets, certificate, database logins, schemas and broker.

    Exit code 1 if there is a problem.
    """
    become("owner")
    from django.conf import settings

    from console.doctor import Grade, examine

    worst = 0
    for finding in examine(settings.AMTSBRUECKE):
        word = click.style(f"{finding.grade:<8}", fg=_COLOURS[finding.grade])
        click.echo(f"{word} {finding.text}")
        worst |= finding.grade is Grade.BAD
    raise SystemExit(int(worst))

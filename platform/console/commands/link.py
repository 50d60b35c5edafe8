"""`amtsbruecke link`: the ways to other centres."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from federation.outbox.selectors import LinkOverview


@click.group("link")
def command() -> None:
    """See the links to other centres; retry, pause and resume them."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each link.")
def status(*, as_json: bool) -> None:
    """Show backlog, age, last contact and trouble of every link."""
    become("web", at_once=True)
    from federation.outbox import selectors

    found = selectors.links()
    if not found and not as_json:
        click.echo("There is no link yet: nothing was ever sent from here.")
    for link in found:
        click.echo(json.dumps(asdict(link), default=_plain) if as_json else _line(link))


@command.command("retry")
@click.argument("name", metavar="CENTRE")
def retry(name: str) -> None:
    """End every wait: call that centre at once, with what it wanted later, too."""
    _change(name, "retry_now")
    click.echo(f"{name}: the next call goes out now")


@command.command("pause")
@click.argument("name", metavar="CENTRE")
def pause(name: str) -> None:
    """Send nothing to that centre until `resume`; letters queue and may expire."""
    word = "paused" if _change(name, "pause") else "is paused already"
    from django.conf import settings

    ours = settings.AMTSBRUECKE.centre
    click.echo(f"{name}: {word}. Resume with: amtsbruecke --centre {ours} link resume {name}")


@command.command("resume")
@click.argument("name", metavar="CENTRE")
def resume(name: str) -> None:
    """Send to that centre again."""
    click.echo(f"{name}: {'active' if _change(name, 'resume') else 'is active already'}")


def _change(name: str, service: str) -> bool | None:
    become("web", at_once=True)
    from federation.outbox import services
    from federation.outbox.errors import LinkUnknown

    verb: Callable[..., bool | None] = getattr(services, service)
    try:
        return verb(link=name, by=operator())
    except LinkUnknown as error:
        raise ConsoleError(error.message, hint="`amtsbruecke link status` lists all.") from error


def _line(link: "LinkOverview") -> str:
    failing = link.failing_since is not None and link.state == "active"
    parts = [
        f"{link.name:<16} {'failing' if failing else link.state:<7}",
        f"backlog {link.backlog}",
        f"oldest {_age(link.oldest_age)}",
        f"dead {link.dead}",
        f"last contact {moment(link.last_contact_at)}",
    ]
    if link.deferred:
        parts.append(
            f"{link.deferred} wanted later by the peer, until {moment(link.deferred_until)}"
        )
    if not link.owned:
        parts.append("no dispatch process works on it")
    if link.failing_since is not None:
        parts.append(
            f"failing since {moment(link.failing_since)} ({link.last_error}),"
            f" next try {moment(link.next_try_at)}"
        )
    return "  ".join(parts)


def _age(age: timedelta | None) -> str:
    return "-" if age is None else f"{age.total_seconds():.0f} s"


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else str(value)

"""`amtsbruecke centre`: set a centre up; speak to the supervisor that runs in another terminal."""

import json
from typing import Any

import click

from centre.kernel.counting import times
from console.home import DEFAULT_PORT_BASE, Home


@click.group("centre")
def command() -> None:
    """Set centres up; stop and start those that run in another terminal."""


@command.command("create")
@click.argument("name", metavar="CENTRE")
@click.option("--umbrella", "is_umbrella", is_flag=True, help="It publishes the directory.")
@click.option("--gateway", required=True, metavar="HOST:PORT", help="Where others reach it.")
@click.option("--domain", default="", help="Municipalities get host names under this one.")
@click.option("--directory-from", default="", metavar="HOST:PORT", help="The umbrella's gateway.")
@click.option(
    "--umbrella-key", "keys", multiple=True, metavar="HEX", help="Whose directory counts."
)
@click.option(
    "--database",
    envvar="AMTSBRUECKE_ADMIN_DATABASE_URL",
    metavar="URL",
    help="Administrator of a PostgreSQL of yours, from 16 on; used now and not kept. Else one comes"
    " along. (AMTSBRUECKE_ADMIN_DATABASE_URL)",
)
@click.option("--database-name", default="", help="By default amtsbruecke_CENTRE.")
@click.option("--broker", default="", metavar="URL", help="RabbitMQ, Valkey or Redis of yours.")
@click.option(
    "--first-port",
    envvar="AMTSBRUECKE_PORT_BASE",
    default=DEFAULT_PORT_BASE,
    show_default=True,
    help="Of ten. (AMTSBRUECKE_PORT_BASE)",
)
@click.pass_obj
def create(home: Home, /, name: str, **wanted: Any) -> None:
    """Write a centre's settings and secrets, make its database, roles and tables.

    What the settings file already says stays as it is; repeated, it finishes what was interrupted.
    """
    from console import preparing

    folder = home.centre(name)
    kept = preparing.create(folder, preparing.Wanted(**wanted))
    click.echo(f"{folder.settings_file}: its database is ready.")
    if kept:
        click.secho(
            f"Kept as they were: {', '.join(sorted(kept))}. Change them there.", fg="yellow"
        )
    if differing := preparing.differing_ports(folder):
        click.secho(differing, fg="yellow")
    for step in preparing.next_steps(folder):
        click.echo(step)


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def status(home: Home, *, as_json: bool) -> None:
    """Show each centre's engines and processes."""
    _show(_ask(home, "status"), as_json=as_json)


@command.command("start")
@click.argument("name", metavar="CENTRE")
@click.pass_obj
def start(home: Home, name: str) -> None:
    """Start a centre's engines and processes."""
    _ask(home, "start", name)
    click.echo(f"{name} starts. When its processes are there: amtsbruecke centre status")


@command.command("stop")
@click.argument("name", metavar="CENTRE")
@click.pass_obj
def stop(home: Home, name: str) -> None:
    """Stop a centre; what others send to it waits in their outboxes."""
    _ask(home, "stop", name)
    click.echo(f"{name} has stopped. Start it again: amtsbruecke centre start {name}")


@command.command("restart")
@click.argument("name", metavar="CENTRE")
@click.pass_obj
def restart(home: Home, name: str) -> None:
    """Stop and start a centre."""
    _ask(home, "restart", name)
    click.echo(f"{name} starts anew. When its processes are there: amtsbruecke centre status")


@command.command("roll")
@click.argument("name", metavar="CENTRE")
@click.pass_obj
def roll(home: Home, name: str) -> None:
    """Restart a centre's processes one after the other; nobody is refused meanwhile.

    They keep the settings with which the centre was started, and so does their number.
    """
    changed = _ask(home, "roll", name)["changed"]
    click.echo(f"Every process of {name} was restarted.")
    if changed:
        click.secho(
            f"Changed in centre.env, and not taken over: {', '.join(changed)}. That takes:"
            f" amtsbruecke centre restart {name}",
            fg="yellow",
        )


@command.command("stop-all")
@click.pass_obj
def stop_all(home: Home) -> None:
    """Let the supervisor stop every centre and end; returns when all has stopped."""
    from console.supervisor import control

    control.stop_all(home, say=lambda words: click.echo(words, err=True))
    click.echo("Everything has stopped.")


def _ask(home: Home, action: str, name: str = "") -> dict[str, Any]:
    from console.supervisor import control

    if name:
        home.existing(name)
    return control.ask(home, action, name)


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer))
        return
    for centre in answer["centres"]:
        click.echo(f"{centre['centre']}: {'runs' if centre['running'] else 'stopped'}")
        for service in centre["services"]:
            pid = f"pid {service['pid']}" if service["pid"] else ""
            restarts = f"restarted {times(service['restarts'])}" if service["restarts"] else ""
            line = f"  {service['name']:<12} {service['state']:<8} {pid:<12} {restarts}"
            click.echo(line.rstrip())

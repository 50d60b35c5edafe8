"""`amtsbruecke alarm`: what a person must see."""

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from federation.outbox.models import Alarm


@click.group("alarm")
def command() -> None:
    """List alarms and note that they were seen."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that somebody has seen.")
@click.option("--after", type=click.UUID, metavar="ID", help="Go on where the last list ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each alarm.")
def list_alarms(*, everything: bool, after: UUID | None, as_json: bool) -> None:
    """List alarms, newest first."""
    become("web", at_once=True)
    from console import alarms, towns
    from federation.outbox import selectors

    names = towns.slugs()
    page = selectors.alarms(open_only=not everything, after=after)
    for alarm in page.rows:
        town = names.get(alarm.tenant_role or "", "")
        click.echo(json.dumps(_fields(alarm, town)) if as_json else _line(alarm, town))
    codes = dict.fromkeys(alarm.code for alarm in page.rows)
    if not as_json:
        for code in codes:
            click.echo(f"{code}: {alarms.next_step(code)}")
    if page.next:
        click.echo(f"More: --after {page.next}", err=True)
    if not page.rows and not as_json:
        click.echo("There are no open alarms.")


@command.command("acknowledge")
@click.argument("alarm_id", type=click.UUID, required=False)
@click.option("--all", "everything", is_flag=True, help="All that are open.")
def acknowledge(alarm_id: UUID | None, *, everything: bool) -> None:
    """Note that you have seen an alarm. What it speaks of stays as it is."""
    if (alarm_id is None) != everything:
        raise ConsoleError("Which alarm?", hint="Name one (amtsbruecke alarm list), or --all.")
    become("web", at_once=True)
    from federation.outbox import services

    seen = services.acknowledge_alarms(alarm_id=alarm_id, by=operator())
    if alarm_id is not None and not seen:
        raise ConsoleError(
            f"There is no open alarm {alarm_id}.", hint="See `amtsbruecke alarm list`."
        )
    click.echo(f"{seen} acknowledged")


def _line(alarm: "Alarm", town: str) -> str:
    about = [alarm.code, alarm.link, town, str(alarm.message_id or "")]
    parts = [moment(alarm.raised_at), str(alarm.id), *about]
    seen = f"(seen by {alarm.acknowledged_by})" if alarm.acknowledged_at else ""
    return " ".join(part for part in [*parts, alarm.detail, seen] if part)


def _fields(alarm: "Alarm", town: str) -> dict[str, Any]:
    return {
        "id": str(alarm.id),
        "code": alarm.code,
        "raised_at": alarm.raised_at.isoformat(),
        "link": alarm.link,
        "municipality": town,
        "message_id": str(alarm.message_id) if alarm.message_id else None,
        "detail": alarm.detail,
        "acknowledged_by": alarm.acknowledged_by,
    }

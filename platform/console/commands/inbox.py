"""`amtsbruecke inbox`: messages that have arrived and were not applied. Never their content."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from centre.kernel.counting import times
from console.errors import ConsoleError
from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from centre.registry.models import Municipality
    from federation.inbox.models import InboundState
    from federation.inbox.selectors import Waiting


@click.group("inbox")
def command() -> None:
    """List, show, retry and discard messages that could not be applied."""


@command.command("list")
@click.option("--tenant", default="", metavar="SLUG", help="Only messages to this municipality.")
@click.option("--failing", is_flag=True, help="Also those that are still tried by themselves.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each message.")
def list_messages(*, tenant: str, failing: bool, as_json: bool) -> None:
    """List parked messages (a person decides) and held ones (an earlier one is missing)."""
    become("worker", at_once=True)
    from centre.registry import selectors as registry
    from federation.inbox import selectors
    from federation.inbox.models import InboundState

    states = [InboundState.PARKED, InboundState.HELD]
    if failing:
        states.append(InboundState.PENDING)
    if tenant:
        towns = [registry.municipality(slug=tenant)]
    else:
        roles = selectors.tenants_with_waiting_messages(states=states)
        towns = list(registry.hosted().filter(tenant_role__in=roles).order_by("slug"))
    found = 0
    for town in towns:
        last: Waiting | None = None
        while rows := _next(town, states, last):
            last = rows[-1]
            for row in rows:
                if row.state == InboundState.PENDING and not row.attempts:
                    continue
                found += 1
                click.echo(_json(town.slug, row) if as_json else _line(town.slug, row))
    if not found and not as_json:
        click.echo("No message waits for a decision.")


def _next(
    town: "Municipality", states: list["InboundState"], last: "Waiting | None"
) -> list["Waiting"]:
    from centre.tenancy.context import tenant_scope
    from federation.inbox import selectors

    with tenant_scope(town):
        return selectors.waiting(states=states, after=last)


@command.command("show")
@click.argument("message_id", type=click.UUID)
def show(message_id: UUID) -> None:
    """Show all that is known of a message but its content."""
    become("worker", at_once=True)
    from console import towns
    from federation.inbox import selectors

    with towns.of_inbound_message(message_id) as (town, origin):
        row = selectors.message(message_id=message_id, origin=origin)
    for name, value in {"municipality": town.slug, **asdict(row)}.items():
        click.echo(f"{name.replace('_', ' '):<14} {_plain(value)}".rstrip())


@command.command("retry")
@click.argument("message_id", type=click.UUID)
def retry(message_id: UUID) -> None:
    """Try a parked message again, for example after a fault here was mended."""
    become("worker", at_once=True)
    from console import towns
    from federation.inbox import services

    with towns.of_inbound_message(message_id) as (_, origin):
        services.retry(origin=origin, message_id=message_id, by=operator())
    click.echo(f"{message_id}: tried again now. See what came of it: amtsbruecke inbox list")


@command.command("discard")
@click.argument("message_id", type=click.UUID)
@click.option("--reason", "why", required=True, help="Why, for the trail. No names, no content.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(message_id: UUID, *, why: str, yes: bool) -> None:
    """Never apply a parked message. What waited for it goes on without it; its sender is told."""
    become("worker", "master_key_file", at_once=True)
    from console import towns
    from federation.inbox import services

    if not why.strip():
        raise ConsoleError("The reason is empty.", hint='Give one: --reason "…"')
    if not yes:
        click.confirm(
            f"{message_id} will never reach its case. This cannot be undone. Discard it?",
            abort=True,
        )
    with towns.of_inbound_message(message_id) as (_, origin):
        services.discard(origin=origin, message_id=message_id, why=why, by=operator())
    click.echo(f"{message_id}: discarded, its sender is told. Its envelope stays, as evidence.")


def _line(slug: str, row: "Waiting") -> str:
    if row.waits_for is not None:
        why = f"is number {row.case_sequence} of its case and waits for number {row.waits_for}"
    else:
        why = f"{row.reason}: {row.detail} (tried {times(row.attempts)})"
    about = f"{row.message_id} {row.origin} {row.kind} {row.state}"
    return f"{moment(row.received_at)} {slug:<16} {about} {why}"


def _json(slug: str, row: "Waiting") -> str:
    return json.dumps({"municipality": slug, **asdict(row)}, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone().isoformat(timespec="seconds")
    return "-" if value is None or value == "" else str(value)

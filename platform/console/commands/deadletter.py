"""`amtsbruecke deadletter`: letters that were not delivered, and what to do about them."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from console.moments import moment
from console.operator import operator
from console.roles import become

if TYPE_CHECKING:
    from federation.outbox.selectors import DeadLetterRow


@click.group("deadletter")
def command() -> None:
    """List, re-send and cancel letters that were not delivered."""


@command.command("list")
@click.option("--link", default="", metavar="CENTRE", help="Only letters to this centre.")
@click.option("--tenant", default="", metavar="SLUG", help="Only letters of this municipality.")
@click.option("--all", "everything", is_flag=True, help="Also those that are resolved.")
@click.option("--after", type=click.UUID, metavar="ID", help="Go on where the last list ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each letter.")
def list_letters(
    *, link: str, tenant: str, everything: bool, after: UUID | None, as_json: bool
) -> None:
    """List dead letters with their case and reason, newest first."""
    become("web", at_once=True)
    from contextlib import nullcontext

    from centre.registry import selectors as registry
    from centre.tenancy.context import tenant_scope
    from console import towns
    from federation.outbox import selectors

    names = towns.slugs()
    scope = tenant_scope(registry.municipality(slug=tenant)) if tenant else nullcontext()
    if link:
        towns.require_link(link)
    with scope:
        page = selectors.dead_letters(link=link, open_only=not everything, after=after)
    for letter in page.rows:
        town = names.get(letter.tenant_role, letter.tenant_role)
        click.echo(_json(letter, town) if as_json else _line(letter, town))
    if not page.rows and not as_json:
        click.echo("There are no dead letters.")
    if page.next:
        click.echo(f"More: --after {page.next}", err=True)


@command.command("resend")
@click.argument("message_id", type=click.UUID)
def resend(message_id: UUID) -> None:
    """Put a letter back into the queue, as it is. Either id of the list will do."""
    click.echo(f"{_decide(message_id, 'resend')}: queued again")


@command.command("cancel")
@click.argument("message_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(message_id: UUID, *, yes: bool) -> None:
    """Give a letter up for good; its municipality is told. Either id of the list will do."""
    if not yes:
        click.confirm(
            f"{message_id} will never be delivered; its clerks will see so. Cancel it?", abort=True
        )
    click.echo(f"{_decide(message_id, 'cancel')}: cancelled")


def _line(letter: "DeadLetterRow", town: str) -> str:
    about = f"{letter.message_id} case {letter.case_id} {letter.link} {letter.kind} {letter.state}"
    resolved = f"({letter.resolution} by {letter.resolved_by})" if letter.resolution else ""
    parts = [moment(letter.died_at), f"{town:<16}", about, letter.reason, letter.detail, resolved]
    return " ".join(part for part in parts if part)


def _json(letter: "DeadLetterRow", town: str) -> str:
    fields = {"municipality": town, **asdict(letter)}
    del fields["tenant_role"]
    return json.dumps(fields, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _decide(message_id: UUID, verb: str) -> UUID:
    """Do it in the name of the municipality, since a cancelled letter leaves a signed void."""
    become("web", "master_key_file", at_once=True)
    from django.db import transaction

    from console import towns
    from federation.outbox import services

    with towns.of_dead_letter(message_id) as letter, transaction.atomic():
        getattr(services, verb)(message_id=letter, by=operator())
    return letter

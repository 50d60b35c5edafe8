"""`amtsbruecke deadletter`: letters that were not delivered, and what to do about them."""

from uuid import UUID

import click

from console.operator import operator
from console.roles import become


@click.group("deadletter")
def command() -> None:
    """List, re-send and cancel letters that were not delivered."""


@command.command("list")
@click.option("--link", default="", metavar="CENTRE", help="Only letters to this centre.")
@click.option("--all", "everything", is_flag=True, help="Also those that are resolved.")
@click.option("--page-token", default="", help="Go on where the last list ended.")
def list_letters(*, link: str, everything: bool, page_token: str) -> None:
    """List dead letters with their reason, newest first."""
    become("web", at_once=True)
    from federation.outbox import selectors

    page = selectors.dead_letters(link=link, open_only=not everything, page_token=page_token)
    for letter in page.rows:
        died = letter.died_at.astimezone().strftime("%d.%m.%Y %H:%M")
        words = f"{letter.message_id} {letter.link} {letter.kind} {letter.state} {letter.reason}"
        resolved = f" ({letter.resolution} by {letter.resolved_by})" if letter.resolution else ""
        click.echo(f"{died} {words} {letter.detail}{resolved}".rstrip())
    if not page.rows:
        click.echo("There are no dead letters.")
    if page.next_token:
        click.echo(f"More: --page-token {page.next_token}")


@command.command("resend")
@click.argument("message_id", type=click.UUID)
def resend(message_id: UUID) -> None:
    """Put a letter back into the queue, as it is."""
    become("web", at_once=True)
    from django.db import transaction

    from federation.outbox import services

    with transaction.atomic():
        services.resend(message_id=message_id, by=operator())
    click.echo(f"{message_id}: queued again")


@command.command("cancel")
@click.argument("message_id", type=click.UUID)
def cancel(message_id: UUID) -> None:
    """Give a letter up for good; its municipality is told."""
    become("web", at_once=True)
    from django.db import transaction

    from federation.outbox import services

    with transaction.atomic():
        services.cancel(message_id=message_id, by=operator())
    click.echo(f"{message_id}: cancelled")

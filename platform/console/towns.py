"""From a letter or message to the municipality whose it is, for operators' commands.

To import only after `roles.become`: it needs Django.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db.models import Q

from centre.registry import selectors as registry
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from console.errors import ConsoleError
from federation.inbox.models import InboundMessage
from federation.outbox.models import DeadLetter, Link


def slugs() -> dict[str, str]:
    """Return the short name of each hosted municipality by its role."""
    return dict(registry.hosted().values_list("tenant_role", "slug"))


def require_link(name: str) -> None:
    """Raise `ConsoleError` if nothing was ever sent to a centre of this name."""
    if not Link.objects.filter(name=name).exists():
        raise ConsoleError(
            f"There is no link {name!r}.", hint="`amtsbruecke link status` lists all."
        )


@contextmanager
def of_dead_letter(identifier: UUID) -> Iterator[UUID]:
    """Act in the name of the municipality whose letter is dead; yield the letter's id.

    `identifier` is that, or the one of the entry in the list of dead letters.
    """
    found = DeadLetter.objects.filter(Q(message_id=identifier) | Q(id=identifier))
    # One that was sent again may have died again: then the open entry counts.
    dead = (
        found.order_by("resolution", "-died_at")
        .values_list("message_id", "tenant_role", "resolution", "resolved_by")
        .first()
    )
    if dead is None:
        raise ConsoleError(
            f"There is no dead letter {identifier}.", hint="See `amtsbruecke deadletter list`."
        )
    message_id, role, resolution, resolved_by = dead
    if resolution:
        raise ConsoleError(
            f"Letter {message_id} is not dead any more: {resolution} by {resolved_by}.",
            hint="See `amtsbruecke deadletter list --all`.",
        )
    municipality = registry.municipality(tenant_role=role)
    with tenant_scope(municipality):
        yield message_id


@contextmanager
def of_inbound_message(message_id: UUID) -> Iterator[tuple[Municipality, str]]:
    """Act in the name of the municipality that a message came for; yield the origin too."""
    found = list(InboundMessage.objects.filter(id=message_id).values_list("tenant_role", "origin"))
    if len(found) != 1:
        raise ConsoleError(
            f"No message {message_id} has come in.", hint="See `amtsbruecke inbox list`."
        )
    ((role, origin),) = found
    municipality = registry.municipality(tenant_role=role)
    with tenant_scope(municipality):
        yield municipality, origin

"""From a letter or message to the municipality whose it is, for operators' commands.

To import only after `roles.become`: it needs Django.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from centre.registry import selectors as registry
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from console.errors import ConsoleError
from federation.inbox.models import InboundMessage
from federation.outbox.models import DeadLetter


def slugs() -> dict[str, str]:
    """Return the short name of each hosted municipality by its role."""
    return dict(registry.hosted().values_list("tenant_role", "slug"))


@contextmanager
def of_dead_letter(message_id: UUID) -> Iterator[Municipality]:
    """Act in the name of the municipality whose letter is dead."""
    role = (
        DeadLetter.objects.filter(message_id=message_id, resolution="")
        .values_list("tenant_role", flat=True)
        .first()
    )
    if role is None:
        raise ConsoleError(
            f"Letter {message_id} is not dead, or somebody has decided about it already.",
            hint="See `amtsbruecke deadletter list`.",
        )
    municipality = registry.municipality(tenant_role=role)
    with tenant_scope(municipality):
        yield municipality


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

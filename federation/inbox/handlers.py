"""Who acts on a message: the table of names in `settings.FEDERATION_HANDLERS`, resolved once."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from centre.audit.chain import Entry
from federation.protocol.messages import InboundMessage, MessageKind


class Handler(Protocol):
    """Gives messages their effect, in the tenant's scope and inside the inbox's transaction.

    Gets messages of one tenant, of all kinds that settings name it for, in the order in which they
    shall take effect. All or none: raises `MessageUnprocessable` if one of them can never have an
    effect; every other error means "try later". The caller then cuts the batch into smaller ones,
    down to one message; how it was cut must make no difference to the effects.

    Returns what the trail shall say: the trail's lock comes last in a transaction, and many
    handlers share one.
    """

    def __call__(self, *, messages: Sequence[InboundMessage]) -> Sequence[Entry]: ...


@cache
def handlers() -> Mapping[MessageKind, Handler]:
    """Return the handler of every message kind; raise if the table is not whole."""
    return {kind: resolve(settings.FEDERATION_HANDLERS[kind]) for kind in MessageKind}


def resolve(name: str) -> Handler:
    """Import a handler by its dotted name."""
    handler: Handler = import_string(name)
    return handler

"""Refuses to start with a message kind that nobody, or nobody known, would act on."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from federation.inbox.handlers import resolve
from federation.protocol.messages import MessageKind


@register
def check_handlers(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 -- Django's signature of a check
    **_: Any,
) -> list[CheckMessage]:
    """Check that every message kind has exactly one handler that can be imported."""
    table: dict[str, str] = settings.FEDERATION_HANDLERS
    problems: list[CheckMessage] = []
    for kind in MessageKind:
        if kind not in table:
            problems.append(
                Error(
                    f"No handler for messages of kind {kind!r}.",
                    hint="Name one in FEDERATION_HANDLERS.",
                    id="inbox.E001",
                )
            )
            continue
        try:
            resolve(table[kind])
        except ImportError as error:
            problems.append(
                Error(
                    f"The handler of messages of kind {kind!r} cannot be imported: {error}",
                    id="inbox.E002",
                )
            )
    problems += [
        Error(
            f"FEDERATION_HANDLERS names a handler for {kind!r}, which is no message kind.",
            id="inbox.E003",
        )
        for kind in table.keys() - set(MessageKind)
    ]
    return problems

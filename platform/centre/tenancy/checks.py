"""What must be true of the database before tenants may be served."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

OLDEST_POSTGRESQL = 160_000
_HOLDERS = 3


@register(Tags.database)
def check_server(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 -- Django's interface
    databases: Sequence[str] | None = None,
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """Refuse servers on which tenants could leak."""
    return [message for alias in databases or () for message in _check(alias)]


def _check(alias: str) -> list[CheckMessage]:
    parameters = connections[alias].get_connection_params()
    messages: list[CheckMessage] = []
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(**parameters, autocommit=True))
        if connection.info.server_version < OLDEST_POSTGRESQL:
            messages.append(
                Error(
                    "PostgreSQL 16 or newer is needed: older ones cannot grant a role without "
                    "inheritance.",
                    id="tenancy.E001",
                )
            )
        if connection.execute(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone() != (False,):
            messages.append(
                Error(
                    "The database login is a superuser or may bypass row-level security: it would "
                    "see the rows of all tenants.",
                    hint="Use the roles that `amtsbruecke` creates, see docs.",
                    id="tenancy.E002",
                )
            )
        if shares_server_connections(connection, stack, parameters):
            messages.append(
                Error(
                    "Between us and PostgreSQL stands a pooler in transaction mode: it gives the "
                    "search path and role of one tenant to the next.",
                    hint="Use session mode (PgBouncer: pool_mode = session), or no pooler: each "
                    "process has its own pool.",
                    id="tenancy.E003",
                )
            )
    return messages


def shares_server_connections(
    connection: "psycopg.Connection[Any]", stack: ExitStack, parameters: dict[str, Any]
) -> bool:
    """Tell whether one client connection meets different server processes.

    An idle pooler would hand out the same server connection again, so others take it meanwhile:
    each holder opens a transaction and keeps whatever it got.
    """
    first = _backend(connection)
    for _ in range(_HOLDERS):
        holder = stack.enter_context(psycopg.connect(**parameters))
        holder.execute("SELECT 1")
        if _backend(connection) != first:
            return True
    return False


def _backend(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0

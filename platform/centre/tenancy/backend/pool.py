"""Connections in the pool: nobody inherits a tenant, and none has seen too many of them.

PostgreSQL's server process keeps what it has learnt of each table until it ends: 1 MB and more for
each municipality, 0.1 to 0.5 GB after 400. So a connection is replaced when it has been in as many
schemas as the operator allows, whether it goes back to the pool or walks from tenant to tenant
without doing so.
"""

from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from psycopg import Connection

_seen: WeakKeyDictionary[Connection[Any], set[str]] = WeakKeyDictionary()


def note(connection: Connection[Any], path: str) -> None:
    """Remember that a connection has been at this search path."""
    _seen.setdefault(connection, set()).add(path)


def is_spent(connection: Connection[Any]) -> bool:
    """Tell whether a connection has been in so many schemas that it should go to no other."""
    most: int = settings.AMTSBRUECKE.schemas_per_connection
    return len(_seen.get(connection, ())) >= most


def knows(connection: Connection[Any], path: str) -> bool:
    """Tell whether a connection has been at this search path."""
    return path in _seen.get(connection, ())


def reset(connection: Connection[Any]) -> None:
    """Take tenant and role off a connection, so that nobody inherits them from the pool."""
    connection.execute("RESET ROLE; SET search_path = public")
    connection.commit()
    if is_spent(connection):
        connection._expire_at = 0.0  # noqa: SLF001 -- the pool's own mark, it makes a new one

"""What happens to a connection on its way back into the pool."""

from typing import Any

from psycopg import Connection


def reset(connection: Connection[Any]) -> None:
    """Take tenant and role off a connection, so that nobody inherits them from the pool."""
    connection.execute("RESET ROLE; SET search_path = public")
    connection.commit()

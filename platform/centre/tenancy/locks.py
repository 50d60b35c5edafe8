"""Locks of the whole centre, across processes and machines."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def exclusively(what: str) -> Iterator[None]:
    """Do something that nobody else does at the same time; wait for them if they do.

    The lock has a database session of its own, since migrations close theirs.
    """
    parameters = connection.get_connection_params()
    with psycopg.connect(**parameters, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"amtsbruecke {what}"])
        yield

"""Locks of the whole centre, across processes and machines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def exclusively(what: str, *, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Do something that nobody else does at the same time.

    If somebody does, call `waiting` once and wait for them, as long as it takes. The lock has a
    database session of its own, since migrations close theirs.
    """
    parameters = connection.get_connection_params()
    with psycopg.connect(**parameters, autocommit=True) as session:
        session.execute("SET lock_timeout = 0")  # of tables, not of people who take turns
        if not _taken(session, what):
            waiting()
            session.execute(f"SELECT pg_advisory_lock({_KEY})", [_named(what)])
        yield


def exclusively_in_transaction(what: str) -> None:
    """Do what `exclusively` does, until the end of the open transaction.

    Waits no longer than for a table.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_KEY})", [_named(what)])


def others_have_ended(*, patience: float, sleep: Callable[[float], object] = time.sleep) -> bool:
    """Wait until every transaction that writes at this moment has ended; False: some did not.

    Outside of a transaction of one's own, which it would wait for.
    """
    until = time.monotonic() + patience
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        (mark,) = cursor.fetchone()
        while True:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", [mark])
            if cursor.fetchone()[0]:
                return True
            if time.monotonic() > until:
                return False
            sleep(0.1)


def _taken(session: psycopg.Connection, what: str) -> bool:
    row = session.execute(f"SELECT pg_try_advisory_lock({_KEY})", [_named(what)]).fetchone()
    return row == (True,)


_KEY = "hashtextextended(%s, 0)"


def _named(what: str) -> str:
    return f"amtsbruecke {what}"

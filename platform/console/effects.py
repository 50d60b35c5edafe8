"""What messages did in the municipalities of a centre, counted in their schemas by the owner."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

#: Those that are founded and not deleted.
_SCHEMAS = """
SELECT schema_name FROM registry_municipality
 WHERE to_regclass(quote_ident(schema_name) || '.cases_caseevent') IS NOT NULL
 ORDER BY schema_name
"""
_REGISTERED = (
    "SELECT case_id FROM {}.cases_casemessage WHERE direction = 'in' AND kind = 'registration'"
)
#: Messages of others, each with the lines that it left in a timeline.
_MARKS = """
SELECT message.id, count(event.id)
  FROM {0}.cases_casemessage message
  LEFT JOIN {0}.cases_caseevent event ON event.message_id = message.id
 WHERE message.direction = 'in' GROUP BY message.id
"""
_OPENED_TWICE = """
SELECT count(*) - 1 FROM {}.cases_casemessage
 WHERE direction = 'in' AND kind = 'assistance_request' AND outcome = 'received'
 GROUP BY case_id, sequence HAVING count(*) > 1
"""


@dataclass(slots=True)
class Effects:
    """`registered`: cases whose registration by the other side has come back."""

    registered: set[UUID] = field(default_factory=set)
    #: Messages that were applied, and effects beyond the one that each may have.
    applied: int = 0
    duplicates: int = 0


def count(connection: psycopg.Connection[Any]) -> Effects:
    """Count in every municipality's schema; the connection needs the owner's login."""
    found = Effects()
    places: Counter[UUID] = Counter()
    for schema in schemas(connection):
        found.registered.update(row[0] for row in _rows(connection, _REGISTERED, schema))
        for identifier, marks in _rows(connection, _MARKS, schema):
            places[identifier] += 1
            found.duplicates += max(0, marks - 1)
        found.duplicates += sum(row[0] for row in _rows(connection, _OPENED_TWICE, schema))
    found.applied = len(places)
    found.duplicates += places.total() - len(places)
    return found


def schemas(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the schemas of all municipalities that have cases."""
    return [row[0] for row in connection.execute(_SCHEMAS)]


def _rows(
    connection: psycopg.Connection[Any], query: str, schema: str
) -> Iterator[tuple[Any, ...]]:
    return iter(connection.execute(sql.SQL(query).format(sql.Identifier(schema))).fetchall())

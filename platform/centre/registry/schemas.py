"""Which of the municipalities' schemas are not at this version: one query over all of them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from centre.registry.models import MunicipalityState
from centre.tenancy.context import public_scope

type Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Schema:
    """A municipality's schema."""

    name: str
    slug: str
    role: str
    municipality_id: UUID

    @property
    def lock(self) -> str:
        """The lock under which it is founded, deleted and migrated."""
        return f"tenant {self.slug}"


@dataclass(slots=True)
class Group:
    """Schemas that have applied the same migrations, and not all."""

    schemas: list[Schema]
    #: Whether they keep account of what they have applied; one that never had any does not.
    accountable: bool


def behind() -> list[Group]:
    """Return the schemas that are not at this version."""
    with public_scope():
        wanted = set(MigrationLoader(None).graph.nodes)
        by_name = {schema.name: schema for schema in hosted()}
        by_state: dict[str | None, list[Schema]] = {}
        for name, state in _states(by_name):
            by_state.setdefault(state, []).append(by_name[name])
        by_state.pop(_state(wanted), None)
        return [
            Group(sorted(schemas, key=lambda schema: schema.name), accountable=state is not None)
            for state, schemas in by_state.items()
            if state is None or wanted - _applied(schemas[0].name)
        ]


def hosted() -> list[Schema]:
    """Return the schemas that exist; none where even the registry does not exist yet."""
    with public_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.registry_municipality') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return []
        cursor.execute(
            "SELECT schema_name, slug, tenant_role, id FROM public.registry_municipality"
            " WHERE state <> ALL (%s) AND to_regnamespace(schema_name) IS NOT NULL"
            " ORDER BY schema_name",
            [[MunicipalityState.DELETED.value, MunicipalityState.DELETING.value]],
        )
        return [Schema(*row) for row in cursor.fetchall()]


def _states(schemas: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each schema's digest of what it has applied; None if it keeps no account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, to_regclass(quote_ident(name) || '.django_migrations') IS NOT NULL"
            " FROM unnest(%s::text[]) AS name",
            [list(schemas)],
        )
        found = cursor.fetchall()
        keeping = [name for name, keeps in found if keeps]
        yield from ((name, None) for name, keeps in found if not keeps)
        if keeping:
            part = sql.SQL(
                "SELECT {}, md5(string_agg(app || '.' || name, ',' ORDER BY app COLLATE \"C\","
                ' name COLLATE "C")) FROM {}.django_migrations'
            )
            parts = [part.format(sql.Literal(name), sql.Identifier(name)) for name in keeping]
            cursor.execute(sql.SQL(" UNION ALL ").join(parts))
            yield from cursor.fetchall()


def _state(applied: Iterable[Key]) -> str:
    text = ",".join(f"{app}.{name}" for app, name in sorted(applied))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _applied(schema: str) -> set[Key]:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT app, name FROM {}.django_migrations").format(sql.Identifier(schema))
        )
        return set(cursor.fetchall())

"""Brings a centre's database to this version: what all share first, then schema after schema.

Which schemas have something to do is asked in one query over all of them; a schema that fails does
not stop the others, and running it again goes on where it stopped.
"""

from collections.abc import Callable

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from centre.registry.models import MunicipalityState
from centre.tenancy.context import public_scope, schema_scope
from console.errors import ConsoleError

PUBLIC = "public"


class MigrationFailed(ConsoleError):
    """The database could not be brought to this version."""

    reason = "MIGRATION_FAILED"


def pending() -> list[str]:
    """Return the schemas that are not at this version, `public` first. Needs the owner's login."""
    wanted = set(MigrationLoader(None).graph.nodes)
    with public_scope():
        schemas = _schemas()
        done = _applied(schemas)
    return [schema for schema in (PUBLIC, *schemas) if wanted - done.get(schema, set())]


def migrate(*, shared_only: bool = False, report: Callable[[str], object]) -> None:
    """Migrate what is pending; raise `MigrationFailed` that names the schemas which failed."""
    if PUBLIC in pending():
        report("shared tables")
        _migrate(PUBLIC)
    failed: dict[str, str] = {}
    for schema in [] if shared_only else pending():
        report(schema)
        try:
            _migrate(schema)
        except DatabaseError as problem:
            failed[schema] = str(problem).partition("\n")[0]
            connection.close()
    if failed:
        words = "; ".join(f"{schema}: {problem}" for schema, problem in failed.items())
        raise MigrationFailed(
            f"{len(failed)} schemas are not at this version ({words}).",
            hint="The others are. Mend the cause and run `amtsbruecke migrate` again.",
        )


def _migrate(schema: str) -> None:
    with schema_scope(schema):
        call_command("migrate_schemas", schema_name=schema, interactive=False, verbosity=0)


def _schemas() -> list[str]:
    """Return the municipalities' schemas that exist, from the registry."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.registry_municipality') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return []
        cursor.execute(
            "SELECT schema_name FROM public.registry_municipality"
            " WHERE state <> ALL (%s) AND to_regnamespace(schema_name) IS NOT NULL"
            " ORDER BY schema_name",
            [[MunicipalityState.DELETED.value, MunicipalityState.DELETING.value]],
        )
        return [row[0] for row in cursor.fetchall()]


def _applied(schemas: list[str]) -> dict[str, set[tuple[str, str]]]:
    """Return what each schema has recorded as done, from one round trip."""
    done: dict[str, set[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relname = 'django_migrations' AND nspname = ANY (%s)",
            [[PUBLIC, *schemas]],
        )
        recorded = [row[0] for row in cursor.fetchall()]
        if recorded:
            part = sql.SQL("SELECT {}, app, name FROM {}.django_migrations")
            parts = [part.format(sql.Literal(name), sql.Identifier(name)) for name in recorded]
            cursor.execute(sql.SQL(" UNION ALL ").join(parts))
            for schema, app, name in cursor.fetchall():
                done.setdefault(schema, set()).add((app, name))
    return done

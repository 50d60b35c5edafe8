"""How a new municipality gets its schema in milliseconds.

The migrations run once for each state of them, in a schema that is nobody's; what they did is kept
as one script, which makes the same schema anywhere. It is kept only after the proof: a schema made
by it and the one made by the migrations are equal in every fact that the catalog knows, and in
their rows. Without that proof municipalities are founded by the migrations, as slowly as ever.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import django
import structlog
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from centre.kernel import clock
from centre.kernel.counting import counted
from centre.registry.models import Blueprint
from centre.tenancy import catalog
from centre.tenancy.context import public_scope, schema_scope
from centre.tenancy.locks import exclusively
from centre.tenancy.migrating import migrate

log = structlog.get_logger(__name__)

_MIGRATED, _REPLAYED = "blueprint_migrated", "blueprint_replayed"


def current() -> Blueprint:
    """Return the blueprint of this version's migrations; make it if it is not there."""
    with public_scope():
        if (found := _known()) is not None:
            return found
        with exclusively("blueprint"):
            return _known() or _make()


def replay(script: str) -> None:
    """Build what the script describes in the current schema. Needs a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(script)


@cache
def fingerprint() -> str:
    """Return a digest of all that shapes a schema: the migrations, Django, names of models."""
    loader = MigrationLoader(None)
    digest = hashlib.sha256(django.__version__.encode())
    for key in sorted(loader.disk_migrations):
        module = sys.modules[loader.disk_migrations[key].__module__]
        digest.update(repr(key).encode())
        digest.update(Path(str(module.__file__)).read_bytes())
    for model in apps.get_models():
        # After the migrations, Django writes a content type and rights for each model.
        meta = model._meta  # noqa: SLF001 -- Django's documented way
        digest.update(repr((meta.label, meta.default_permissions, meta.permissions)).encode())
    return digest.hexdigest()


def _known() -> Blueprint | None:
    return Blueprint.objects.filter(fingerprint=fingerprint()).first()


def _make() -> Blueprint:
    _clear()
    _execute(f"CREATE SCHEMA {_MIGRATED}")
    recording = migrate(_MIGRATED)
    with schema_scope(_MIGRATED):
        statements = [*_definitions(recording.statements), *_rows(), *_positions()]
    script = "\n;\n".join(statements)
    problem = _try(script)
    if problem:
        log.warning("tenant:blueprint:unusable", problem=problem)
    _clear()
    with transaction.atomic():
        Blueprint.objects.all().delete()
        return Blueprint.objects.create(
            fingerprint=fingerprint(), script=script, problem=problem, made_at=clock.now()
        )


def _try(script: str) -> str:
    """Build a schema by the script and compare; return what is wrong, or nothing."""
    expected = catalog.facts(_MIGRATED)
    try:
        with schema_scope(_REPLAYED), transaction.atomic():
            _execute(f"CREATE SCHEMA {_REPLAYED}")
            replay(script)
            built = catalog.facts(_REPLAYED)
            transaction.set_rollback(True)
    except DatabaseError as error:
        return f"it cannot be replayed: {str(error).partition(chr(10))[0]}"
    if differences := sorted(expected ^ built):
        return (
            f"{counted(len(differences), 'difference', 'differences')}, such as: {differences[0]}"
        )
    return ""


# Rows are copied as the migrations left them, so statements that only write rows are left out.
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE)\b", re.IGNORECASE)
# Nobody else uses a new schema, and it is built in one transaction.
_CONCURRENTLY = re.compile(r"(CREATE (?:UNIQUE )?INDEX|DROP INDEX) CONCURRENTLY\b")


def _definitions(statements: Iterable[str]) -> Iterator[str]:
    for statement in statements:
        if not _WRITES.match(statement):
            yield _CONCURRENTLY.sub(r"\1", statement)


def _rows() -> Iterator[str]:
    """Yield statements that copy the rows of the current schema, past its triggers."""
    off, on = _switches()
    yield from off
    for table in catalog.tables(_MIGRATED):
        yield from _copy(table)
    yield 'UPDATE "django_migrations" SET "applied" = now()'
    # What is still to be checked at the commit would forbid to alter the tables.
    yield "SET CONSTRAINTS ALL IMMEDIATE"
    yield from on


def _copy(table: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0"
            " AND NOT attisdropped AND attgenerated = ''",
            [table],
        )
        (columns,) = cursor.fetchone()
        cursor.execute(
            sql.SQL(
                "SELECT format('INSERT INTO %%1$I (%%2$s) OVERRIDING SYSTEM VALUE SELECT %%2$s"
                " FROM json_populate_recordset(NULL::%%1$I, %%3$L)', %s, %s,"
                " json_agg(t ORDER BY ctid)) FROM {} t HAVING count(*) > 0"
            ).format(sql.Identifier(table)),
            [table, columns],
        )
        yield from (statement for (statement,) in cursor.fetchall())


def _switches() -> tuple[list[str], list[str]]:
    """Return statements that switch the triggers off, and back to how they are now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),"
            " format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::regclass,"
            " CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tgname)"
            " FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid"
            " WHERE relnamespace = current_schema()::regnamespace"
            " AND NOT tgisinternal AND tgenabled <> 'D' AND tgparentid = 0"
        )
        both = cursor.fetchall()
    return [off for off, _ in both], [on for _, on in both]


def _positions() -> Iterator[str]:
    """Yield statements that bring the sequences to where they are in the current schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('SELECT setval(%L, %s)', quote_ident(sequencename), last_value)"
            " FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL"
        )
        yield from (statement for (statement,) in cursor.fetchall())


def _clear() -> None:
    _execute(f"DROP SCHEMA IF EXISTS {_MIGRATED} CASCADE")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)

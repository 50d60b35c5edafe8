"""Migrates one schema as Django does, and notes the statements by which it was done.

All but the first of many equal schemas can then be brought along by the same statements, in
milliseconds instead of seconds (`Step.statements`), unless something speaks against it
(`Step.obstacle`): Python code, statements that went past the schema editor, no transaction.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.core.management import call_command
from django.core.management.commands.migrate import Command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, router, transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import Migration, RunPython, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from psycopg import errors, sql

from centre.tenancy.context import schema_scope
from centre.tenancy.locks import exclusively_in_transaction

#: No statement that is replayed may take longer, in ms; how long it may wait for a lock is an
#: option of the owner's connections.
_PATIENCE = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A migration that was applied, and how."""

    app: str
    name: str
    statements: tuple[str, ...]
    #: Why another schema cannot be migrated by these statements alone; empty if it can.
    obstacle: str

    @property
    def key(self) -> tuple[str, str]:
        return self.app, self.name


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run of the migrations did to a schema."""

    #: Statements before the first migration: the table that keeps account of them.
    opening: tuple[str, ...]
    steps: tuple[Step, ...]
    #: What Django wrote after the last migration: content types and rights of new models.
    aftermath: tuple[str, ...]

    @property
    def statements(self) -> Iterator[str]:
        yield from self.opening
        for step in self.steps:
            yield from step.statements

    @property
    def obstacle(self) -> str:
        """Why other schemas cannot be brought along by the statements; empty if they can."""
        for step in self.steps:
            if step.obstacle:
                return f"{step.app}.{step.name}: {step.obstacle}"
        for statement in self.aftermath:
            if not _ABOUT_MODELS.match(statement):
                return f"after the migrations this was done, too: {statement[:200]}"
        return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a schema could not be migrated, in words that can be shown, kept and sent."""

    words: str
    #: Somebody else held a lock for too long, or wanted ours: worth another try.
    busy: bool = False

    @classmethod
    def of(cls, error: Exception) -> "Fault":
        """Tell what an error means."""
        cause = error.__cause__ if isinstance(error, DatabaseError) else None
        words = f"{type(cause or error).__name__}: {str(error).partition(chr(10))[0]}"
        return cls(words, busy=isinstance(cause, errors.LockNotAvailable | errors.DeadlockDetected))


def migrate(schema: str) -> Recording:
    """Apply what is not applied yet in `schema`, as the owner; return what was done."""
    recorder = _Recorder(schema)
    with schema_scope(schema), recorder.listening():
        call_command(_Migrate(recorder), interactive=False, verbosity=0)
    return Recording(tuple(recorder.opening), tuple(recorder.steps), tuple(recorder.aftermath))


def replay(
    schema: str, steps: Iterable[Step], *, lock: str, check: Callable[[], object] | None = None
) -> None:
    """Apply the steps of another schema's recording that are not applied here.

    Each in one transaction with the record that it is done, under `lock` (see `tenancy.locks`).
    With `check`, all of them in one, which is undone if `check` raises.
    """
    with schema_scope(schema), transaction.atomic() if check else nullcontext():
        for step in steps:
            with transaction.atomic():
                exclusively_in_transaction(lock)
                _replay(schema, step)
        if check:
            check()


def _replay(schema: str, step: Step) -> None:
    account = sql.Identifier(schema, "django_migrations")
    done = sql.SQL("SELECT FROM {} WHERE app = %s AND name = %s").format(account)
    note = sql.SQL("INSERT INTO {} (app, name, applied) VALUES (%s, %s, now())").format(account)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {_PATIENCE}")
        cursor.execute(done, step.key)
        if not cursor.rowcount:
            if step.statements:
                cursor.execute("\n;\n".join(step.statements))
            cursor.execute(note, step.key)


def replay_aftermath(schema: str, *, model: str) -> None:
    """Enter the content types and rights that `model`, a schema just migrated, has and this lacks.

    Comes before the steps: a schema that has all steps counts as finished.
    """
    names = {"mine": sql.Identifier(schema), "other": sql.Identifier(model)}
    with schema_scope(schema), transaction.atomic(), connection.cursor() as cursor:
        for statement in (_COPY_TYPES, _COPY_RIGHTS):
            cursor.execute(sql.SQL(statement).format(**names))


_COPY_TYPES = """
    INSERT INTO {mine}.django_content_type (app_label, model)
    SELECT app_label, model FROM {other}.django_content_type AS o
    WHERE NOT EXISTS (SELECT FROM {mine}.django_content_type AS m
                      WHERE (m.app_label, m.model) = (o.app_label, o.model))
    ORDER BY o.id
"""
_COPY_RIGHTS = """
    INSERT INTO {mine}.auth_permission (name, content_type_id, codename)
    SELECT o.name, m.id, o.codename
    FROM {other}.auth_permission AS o
    JOIN {other}.django_content_type AS t ON t.id = o.content_type_id
    JOIN {mine}.django_content_type AS m ON (m.app_label, m.model) = (t.app_label, t.model)
    WHERE NOT EXISTS (SELECT FROM {mine}.auth_permission AS p
                      WHERE (p.content_type_id, p.codename) = (m.id, o.codename))
    ORDER BY o.id
"""
# What Django asks and says on the side: questions, savepoints, its own account.
_HARMLESS = re.compile(
    r"\s*(SELECT|SHOW|SAVEPOINT|RELEASE SAVEPOINT|SET search_path)\s"
    r'|INSERT INTO "django_migrations" '
)
_ABOUT_MODELS = re.compile(r'INSERT INTO "(django_content_type|auth_permission)" ')


@dataclass(slots=True)
class _Recorder:
    schema: str
    opening: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    aftermath: list[str] = field(default_factory=list)
    _statements: list[str] | None = None
    _bypass: str = ""
    _in_editor: bool = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Give this thread's connection an editor that notes, and watch what goes past it."""

        def editor(*args: Any, **kwargs: Any) -> "_Editor":
            return _Editor(self, *args, **kwargs)

        plain = connection.SchemaEditorClass
        connection.SchemaEditorClass = editor  # type: ignore[assignment]  # Django's is a class
        try:
            with connection.execute_wrapper(self._watch):
                yield
        finally:
            connection.SchemaEditorClass = plain

    def begin(self) -> None:
        self._statements, self._bypass = [], ""

    def end(self, migration: Migration) -> None:
        statements = tuple(self._statements or ())
        self.steps.append(
            Step(
                app=migration.app_label,
                name=migration.name,
                statements=statements,
                obstacle=_obstacle(migration) or self._bypass or self._named(statements),
            )
        )
        self._statements = None

    @contextmanager
    def noting(self, statement: str) -> Iterator[None]:
        (self.opening if self._statements is None else self._statements).append(statement)
        self._in_editor = True
        try:
            yield
        finally:
            self._in_editor = False

    def _watch(self, execute: Callable[..., Any], statement: Any, *others: Any) -> Any:
        if not self._in_editor and not _HARMLESS.match(str(statement)):
            if self._statements is None:
                self.aftermath.append(str(statement))
            else:
                self._bypass = "it executes statements past the schema editor"
        return execute(statement, *others)

    def _named(self, statements: Iterable[str]) -> str:
        if any(self.schema in statement for statement in statements):
            return "its statements name the schema"
        return ""


def _obstacle(migration: Migration) -> str:
    if not router.allow_migrate(DEFAULT_DB_ALIAS, migration.app_label):
        return ""  # another kind of schema has the app; here nothing is done
    if not migration.atomic:
        return "it does not run in a transaction"
    for operation in _flat(migration.operations):
        noop = isinstance(operation, RunPython) and operation.code is RunPython.noop
        if not operation.reduces_to_sql and not noop:
            return "it runs Python"
    return ""


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


class _Editor(DatabaseSchemaEditor):
    def __init__(self, recorder: _Recorder, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recorder = recorder

    def execute(self, statement: Any, params: Any = ()) -> None:
        # PostgreSQL takes no parameters in DDL: Django merges them on this side, and so do we.
        text = str(statement)
        if params is not None:
            text = self.connection.ops.compose_sql(text, params)
        with self._recorder.noting(text):
            super().execute(text, None)


class _Migrate(Command):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def migration_progress_callback(
        self,
        action: str,
        migration: Migration | None = None,
        fake: bool = False,  # noqa: FBT001, FBT002, ARG002 -- Django's interface
    ) -> None:
        if action == "apply_start":
            self._recorder.begin()
        elif action == "apply_success" and migration is not None:
            self._recorder.end(migration)

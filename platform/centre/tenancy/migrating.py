"""Migrates one schema as Django does, and notes the statements by which it was done.

All but the first of many equal schemas can then be brought along by the same statements, in
milliseconds instead of seconds (`Step.statements`), unless something speaks against it
(`Step.obstacle`): Python code, statements that went past the schema editor, no transaction.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.management import call_command
from django.core.management.commands.migrate import Command
from django.db import DEFAULT_DB_ALIAS, connection, router
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import Migration, RunPython, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation

from centre.tenancy.context import schema_scope


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

    @property
    def statements(self) -> Iterator[str]:
        yield from self.opening
        for step in self.steps:
            yield from step.statements


def migrate(schema: str) -> Recording:
    """Apply what is not applied yet in `schema`, as the owner; return what was done."""
    recorder = _Recorder(schema)
    with schema_scope(schema), recorder.listening():
        call_command(_Migrate(recorder), interactive=False, verbosity=0)
    return Recording(tuple(recorder.opening), tuple(recorder.steps))


# What Django asks and says on the side: questions, savepoints, its own account.
_HARMLESS = re.compile(
    r"\s*(SELECT|SHOW|SAVEPOINT|RELEASE SAVEPOINT|SET search_path) "
    r'|INSERT INTO "django_migrations" '
)


@dataclass(slots=True)
class _Recorder:
    schema: str
    opening: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
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

    def _watch(self, execute: Callable[..., Any], sql: Any, *others: Any) -> Any:
        if self._statements is not None and not self._in_editor and not _HARMLESS.match(str(sql)):
            self._bypass = "it executes statements past the schema editor"
        return execute(sql, *others)

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

    def execute(self, sql: Any, params: Any = ()) -> None:
        # PostgreSQL takes no parameters in DDL: Django merges them on this side, and so do we.
        text = str(sql)
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

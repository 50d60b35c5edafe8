"""Statements whose parameters and answers are binary, for many rows at once.

Django's own cursor writes every value into the text of the statement, where it is quoted here and
parsed there: for a row of forty values that costs more than storing it. Here each column travels as
one array. The statements run on Django's connection, in the same transaction and place.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Field, Model


def run(
    statement: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Execute a statement of ours and return its rows. Write parameters as `%b` or `%(name)b`."""
    # Opening Django's cursor brings the connection to its place, as for every other statement.
    with (
        connection.cursor(),
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
    ):
        cursor.execute(statement.encode(), parameters, binary=True)
        return cursor.fetchall() if cursor.description else []


def select[M: Model](model: type[M], rest: str, parameters: Sequence[Any] = ()) -> list[M]:
    """Return rows of a model. `rest` is what follows its table: `WHERE …`, `ORDER BY …`."""
    statement, names = _selection(model)
    rows = run(f"{statement} {rest}", parameters)
    return [model.from_db(connection.alias, names, row) for row in rows]


def insert(model: type[Model], rows: Iterable[object]) -> None:
    """Insert rows with one statement. A row is anything with an attribute for every column."""
    if given := list(rows):
        run(_insertion(model), _columns(given, _fields(model)))


def update(model: type[Model], rows: Iterable[object], names: Sequence[str]) -> None:
    """Write these columns of rows that exist, found by their primary key, with one statement."""
    if given := list(rows):
        run(_update(model, tuple(names)), _columns(given, _fields(model, tuple(names))))


@cache
def _fields(model: type[Model], names: tuple[str, ...] | None = None) -> tuple[Any, ...]:
    """Return the columns of a model, or the key and the columns that are named."""
    fields = {field.attname: field for field in model._meta.concrete_fields}  # noqa: SLF001
    if names is None:
        return tuple(fields.values())
    return (model._meta.pk, *(fields[name] for name in names))  # noqa: SLF001


def _columns(rows: Sequence[object], fields: Iterable[Any]) -> list[list[Any]]:
    return [_plain([getattr(row, field.attname) for row in rows]) for field in fields]


def _plain(values: list[Any]) -> list[Any]:
    """Make enumerations and other kinds of text one kind: an array has one."""
    if any(type(value) is not str and isinstance(value, str) for value in values):
        return [value if value is None else str.__str__(value) for value in values]
    return values


@cache
def _selection(model: type[Model]) -> tuple[str, list[str]]:
    names = ", ".join(_quoted(field.column) for field in _fields(model))
    table = _quoted(model._meta.db_table)  # noqa: SLF001
    attributes = [field.attname for field in _fields(model)]
    return f"SELECT {names} FROM {table}", attributes  # noqa: S608 -- names of our own models


@cache
def _insertion(model: type[Model]) -> str:
    fields = _fields(model)
    names = ", ".join(_quoted(field.column) for field in fields)
    table = _quoted(model._meta.db_table)  # noqa: SLF001 -- Django's documented way to ask
    return f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_arrays(fields)})"  # noqa: S608


@cache
def _update(model: type[Model], names: tuple[str, ...]) -> str:
    key, *fields = _fields(model, names)
    changes = ", ".join(f"{_quoted(each.column)} = item.{_quoted(each.column)}" for each in fields)
    columns = ", ".join(_quoted(each.column) for each in (key, *fields))
    table, primary = _quoted(model._meta.db_table), _quoted(key.column)  # noqa: SLF001
    return (
        f"UPDATE {table} AS kept SET {changes}"  # noqa: S608 -- names of our own models
        f" FROM unnest({_arrays((key, *fields))}) AS item ({columns})"
        f" WHERE kept.{primary} = item.{primary}"
    )


def _arrays(fields: Iterable[Any]) -> str:
    return ", ".join(f"%b::{_type(field)}[]" for field in fields)


def _type(field: "Field[Any, Any]") -> str:
    """Return a column's type without its length: a cast to that would cut, the column refuses."""
    return str(field.db_type(connection)).partition("(")[0]


def _quoted(name: str | None) -> str:
    return connection.ops.quote_name(str(name))

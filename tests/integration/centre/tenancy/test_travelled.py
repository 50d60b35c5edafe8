"""A connection that has been in many municipalities is replaced, and nothing notices."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import InterfaceError, connection, connections, transaction

from centre.config.databases import database
from centre.config.environment import Environment
from centre.registry.models import Municipality
from centre.tenancy.backend.base import DatabaseWrapper
from centre.tenancy.context import public_scope, tenant_scope


@pytest.fixture(params=["pool", "no pool"])
def towns(
    request: pytest.FixtureRequest,
    committed_db: None,
    dsn: Callable[[str], str],
    settings: Any,
) -> Iterator[list[Municipality]]:
    """Connections go to two schemas and no further; the pool has only one."""
    # public is one of them
    settings.AMTSBRUECKE = replace(settings.AMTSBRUECKE, schemas_per_connection=3)
    config = database(
        Environment.from_mapping(
            {"AMTSBRUECKE_PROCESS": "web", "AMTSBRUECKE_WEB_DATABASE_URL": dsn("web")}
        )
    )
    if request.param == "pool":
        config["OPTIONS"]["pool"]["max_size"] = 1
    else:
        config["OPTIONS"].pop("pool")
    before = connections["default"]
    other = DatabaseWrapper({**before.settings_dict, **config}, "default")
    connections["default"] = other
    yield list(Municipality.objects.all())
    other.close()
    if request.param == "pool":
        other.close_pool()
    connections["default"] = before


def _server_process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _visit(town: Municipality) -> int:
    with tenant_scope(town):
        Group.objects.count()
        return _server_process()


def test_on_the_way_from_town_to_town(towns: list[Municipality]) -> None:
    alpha, beta, gamma = towns
    first = _visit(alpha)
    assert _visit(beta) == first
    assert _visit(alpha) == first
    assert _visit(gamma) != first


def test_not_within_a_transaction(towns: list[Municipality]) -> None:
    alpha, beta, gamma = towns
    _visit(alpha), _visit(beta)
    with tenant_scope(gamma), transaction.atomic():
        Group.objects.create(name="Rat")
        inside = _server_process()
        assert [_server_process() for _ in range(3)] == [inside] * 3
    with tenant_scope(gamma):
        assert Group.objects.get().name == "Rat"


def test_not_while_rows_are_streamed(towns: list[Municipality]) -> None:
    alpha, beta, _ = towns
    with public_scope():
        stream = Municipality.objects.order_by("slug").iterator(chunk_size=1)
        seen = [(town.slug, _visit(town)) for town in stream]
    assert [slug for slug, _ in seen] == ["alpha", "beta", "gamma"]
    assert len({pid for _, pid in seen}) == 1  # one connection to the end of the stream
    assert _visit(beta) == seen[0][1]
    with public_scope():
        connection.close()
    assert _visit(alpha) != seen[0][1]


def test_a_cursor_left_behind_goes_nowhere(towns: list[Municipality]) -> None:
    alpha, beta, gamma = towns
    with public_scope():
        cursor = connection.cursor()
        cursor.execute("SELECT current_schema()")
        _visit(alpha)
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == ("public",)
        _visit(beta), _visit(gamma)
        with pytest.raises(InterfaceError, match="left"):
            cursor.execute("SELECT current_schema()")

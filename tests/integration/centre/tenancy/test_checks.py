"""Servers on which tenants could leak are refused before anybody is served."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import psycopg
import pytest
from django.core.checks import run_checks
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from centre.tenancy import checks


def _ids() -> list[str | None]:
    return [message.id for message in checks.check_server(None, databases=["default"])]


def test_server_of_the_tests_passes(db: None) -> None:
    assert _ids() == []
    assert not [m for m in run_checks(databases=["default"]) if (m.id or "").startswith("tenancy.")]


def test_superuser_is_refused(db: None, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connections["default"]
    admin = conninfo_to_dict(cluster.server.admin_dsn)
    login = {"user": admin["user"], "password": admin.get("password", "")}
    parameters = {**connection.get_connection_params(), **login}
    monkeypatch.setattr(type(connection), "get_connection_params", lambda _: parameters)
    assert _ids() == ["tenancy.E002"]


def test_old_server_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OLDEST_POSTGRESQL", 990_000)
    assert _ids() == ["tenancy.E001"]


def test_server_behind_a_pooler_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "shares_server_connections", lambda *_: True)
    assert _ids() == ["tenancy.E003"]


class _Pooler:
    """A pooler in transaction mode: gives each transaction the first idle server process."""

    def __init__(self) -> None:
        self.busy: set[int] = set()

    def client(self, *, autocommit: bool = False, **_: Any) -> "_Client":
        return _Client(self, autocommit=autocommit)


class _Client:
    def __init__(self, pooler: _Pooler, *, autocommit: bool) -> None:
        self.pooler, self.autocommit = pooler, autocommit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, _statement: str) -> "_Client":
        self.server = next(n for n in range(99) if n not in self.pooler.busy)
        if not self.autocommit:
            self.pooler.busy.add(self.server)
        return self

    def fetchone(self) -> tuple[int]:
        return (self.server,)


def test_pooler_in_transaction_mode_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle pooler gives the same server process again: only a crowd shows what it does."""
    pooler = _Pooler()
    monkeypatch.setattr(psycopg, "connect", pooler.client)
    client: Any = pooler.client(autocommit=True)
    assert client.execute("").fetchone() == client.execute("").fetchone()
    with ExitStack() as stack:
        assert checks.shares_server_connections(client, stack, {})


def test_direct_connection_is_not_taken_for_a_pooler(db: None, dsn: Callable[[str], str]) -> None:
    with psycopg.connect(dsn("web"), autocommit=True) as connection, ExitStack() as stack:
        assert not checks.shares_server_connections(connection, stack, {"conninfo": dsn("web")})

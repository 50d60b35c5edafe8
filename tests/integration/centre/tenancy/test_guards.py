"""What the connection refuses, one careless program after the other."""

import pickle
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import groupby
from typing import Any, cast

import psycopg
import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context, tenant_context

from centre.registry.models import Municipality
from centre.tenancy.backend.base import DatabaseWrapper
from centre.tenancy.backend.pool import reset
from centre.tenancy.context import (
    carry,
    current_tenant,
    public_scope,
    require_tenant,
    tenant_scope,
)
from centre.tenancy.errors import TenantRequired, WrongTenant
from centre.tenancy.routing import SchemaAlias

#: The version of PostgreSQL that tells its search path whenever that changes.
REPORTS_ITS_PATH = 180_000


def _role() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])


def _first(cursor: Any) -> object:
    return cursor.fetchone()


def _permissions(group: Group) -> list[Permission]:
    return list(group.permissions.all())


# -- scopes and transactions --------------------------------------------------------------------


def test_scope_is_not_entered_within_anothers_transaction(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha), transaction.atomic():
        for scope in (tenant_scope(beta), public_scope()):
            with pytest.raises(WrongTenant, match="transaction"), scope:
                pass
        with tenant_scope(alpha):
            assert _role() == "krz_t_alpha"


def test_statement_in_anothers_transaction_is_refused(
    db: None, alpha: Municipality, beta: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scope entered where the connection cannot be seen (another thread's context) changes it."""
    monkeypatch.setattr("centre.tenancy.context._refuse_to_leave_transaction", lambda _: None)
    with tenant_scope(alpha), transaction.atomic():
        assert _role() == "krz_t_alpha"
        with tenant_scope(beta), pytest.raises(WrongTenant, match="belongs to 'm_alpha'"):
            _role()


def test_connection_works_after_an_error(db: None, alpha: Municipality) -> None:
    for _ in range(2):
        with tenant_scope(alpha):
            with pytest.raises(psycopg.Error) as error, transaction.atomic():
                connection.connection.execute("SELECT 1/0")
            assert isinstance(error.value, psycopg.errors.DivisionByZero)
            assert _role() == "krz_t_alpha"
    assert _role() == "krz_web"


def test_cursor_stays_where_it_was_opened(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
    with tenant_scope(beta):
        for use in (
            lambda: cursor.execute("SELECT 1"),
            lambda: cursor.executemany("SELECT %s", [[1]]),
            partial(_first, cursor),
            lambda: list(cursor),
        ):
            with pytest.raises(WrongTenant, match="opened in 'm_alpha'"):
                use()
    cursor.close()


def test_iterator_of_one_tenant_gives_nothing_in_another(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        Group.objects.bulk_create(Group(name=str(number)) for number in range(9))
        rows = Group.objects.iterator(chunk_size=2)
        next(rows)
    with tenant_scope(beta), pytest.raises(WrongTenant):
        list(rows)


def test_lazy_query_runs_where_it_is_evaluated(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        Group.objects.create(name="alpha")
        query = Group.objects.all()
    with tenant_scope(beta):
        assert list(query) == []


def test_carried_iterator_works_outside_its_scope(db: None, alpha: Municipality) -> None:
    with tenant_scope(alpha):
        roles = carry(_role() for _ in range(2))
    assert list(roles) == ["krz_t_alpha"] * 2
    assert current_tenant() is None


def test_carried_generator_is_closed_in_its_scope(db: None, alpha: Municipality) -> None:
    closed_in = []

    def generate() -> Iterator[str]:
        try:
            yield _role()
            yield _role()
        finally:
            closed_in.append(_role())

    with tenant_scope(alpha):
        roles = carry(generate())
    next(roles)
    cast("Generator[str]", roles).close()
    assert closed_in == ["krz_t_alpha"]


def test_debug_cursor_is_guarded_too(db: None, alpha: Municipality) -> None:
    with CaptureQueriesContext(connection) as queries:
        with tenant_scope(alpha):
            assert _role() == "krz_t_alpha"
            cursor = connection.cursor()
        with pytest.raises(WrongTenant):
            cursor.execute("SELECT 1")
    assert "current_user" in queries[0]["sql"]


# -- django-tenants' own switches ---------------------------------------------------------------


def test_switches_of_django_tenants_are_refused(db: None, alpha: Municipality) -> None:
    with pytest.raises(WrongTenant), alpha:
        pass
    with pytest.raises(WrongTenant), tenant_context(alpha):
        pass
    with pytest.raises(WrongTenant), schema_context("m_alpha"):
        pass
    with pytest.raises(WrongTenant):
        alpha.activate()
    assert _role() == "krz_web"


# -- what the server says -----------------------------------------------------------------------


def test_path_changed_behind_our_back_is_noticed(db: None, alpha: Municipality) -> None:
    with tenant_scope(alpha):
        _role()
        tells = connection.pg_version >= REPORTS_ITS_PATH
        connection.connection.execute("SET search_path = m_beta, public")
        if tells:
            with pytest.raises(WrongTenant, match="was found in 'm_beta, public'"):
                _role()
        assert _role() == "krz_t_alpha"


def test_unchanged_place_costs_nothing(
    db: None, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[Any] = []
    go = DatabaseWrapper._go

    def noted(self: DatabaseWrapper, *place: Any) -> None:
        went.append(place)
        go(self, *place)

    monkeypatch.setattr(DatabaseWrapper, "_go", noted)
    for _ in range(2):
        with tenant_scope(alpha):
            _role()
            _role()
        _role()
    here, there = ("m_alpha, public", "krz_t_alpha"), ("public", None)
    if connection.pg_version < REPORTS_ITS_PATH:  # told before each statement, see below
        went = [place for place, _ in groupby(went)]
    assert went == [here, there] * 2


def test_older_server_is_told_each_time(
    db: None, alpha: Municipality, beta: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL before 18 does not report its search path."""
    monkeypatch.setattr(DatabaseWrapper, "_reported_path", lambda _: None)
    with tenant_scope(alpha):
        connection.connection.execute("SET search_path = m_beta; SET ROLE krz_t_beta")
        assert _role() == "krz_t_alpha"
        with transaction.atomic():
            _role()
            transaction.set_rollback(True)
        assert _role() == "krz_t_alpha"


def test_connection_goes_back_to_the_pool_without_tenant(
    db: None, alpha: Municipality, dsn: Callable[[str], str]
) -> None:
    with psycopg.connect(dsn("web")) as raw:
        raw.execute("SET search_path = m_alpha; SET ROLE krz_t_alpha")
        reset(raw)
        row = raw.execute("SELECT current_user, current_setting('search_path')").fetchone()
    assert row == ("krz_web", "public")


# -- rows ---------------------------------------------------------------------------------------


def test_row_is_bound_to_its_tenant_in_every_way(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        created = Group.objects.create(name="created")
        loaded = Group.objects.get()
        bulk = Group.objects.bulk_create([Group(name="bulk")])[0]
        deferred = Group.objects.defer("name").get(pk=created.pk)
        copied = pickle.loads(pickle.dumps(loaded))  # noqa: S301 -- our own bytes
    with tenant_scope(beta):
        for group in (created, loaded, bulk, copied):
            uses: list[Callable[[], object]] = [
                group.save,
                group.delete,
                group.refresh_from_db,
                partial(_permissions, group),
            ]
            for use in uses:
                with pytest.raises(WrongTenant, match="from 'm_alpha' was used in 'm_beta'"):
                    use()
        with pytest.raises(WrongTenant):
            deferred.name  # noqa: B018 -- reading it asks the database
        assert Group.objects.count() == 0
    with tenant_scope(alpha):
        created.save()


def test_row_of_another_tenant_cannot_be_related(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha):
        foreign = Group.objects.create(name="alpha")
    with tenant_scope(beta):
        permission = Permission.objects.first()
        assert permission is not None
        with pytest.raises(ValueError, match="Cannot add"):
            permission.group_set.add(foreign)


def test_bulk_update_of_foreign_rows_changes_nothing(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    """The one door that asks no router: rows are found by key, in the schema of now."""
    with tenant_scope(alpha):
        foreign = Group.objects.create(name="alpha")
    foreign.name = "changed"
    with tenant_scope(beta):
        assert Group.objects.bulk_update([foreign], ["name"]) == 0


def test_tenants_table_needs_a_tenant(db: None) -> None:
    with pytest.raises(TenantRequired, match="enter tenant_scope first"):
        Group.objects.count()
    with pytest.raises(TenantRequired):
        require_tenant()


def test_alias_carries_its_schema_and_is_the_alias() -> None:
    alias = SchemaAlias("m_alpha")
    assert alias == "default"
    assert hash(alias) == hash("default")
    assert pickle.loads(pickle.dumps(alias)).schema == "m_alpha"  # noqa: S301
    assert connections[alias] is connections["default"]


def test_new_thread_is_in_nobodys_scope(db: None, alpha: Municipality) -> None:
    seen: list[object] = []
    with tenant_scope(alpha):
        thread = threading.Thread(target=lambda: seen.append(current_tenant()))
        thread.start()
        thread.join()
    assert seen == [None]

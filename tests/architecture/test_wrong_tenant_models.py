"""Every model, tried with the wrong tenant. A new table is tried too, or this fails.

A model is either in municipalities' schemas, or a shared table with rows of tenants under
row-level security, or a shared table of the centre, which tenants cannot write and which is listed
here with what makes it harmless to read.
"""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import models
from psycopg import sql

from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from centre.tenancy.errors import TenantRequired, WrongTenant
from centre.tenancy.fields import TenantRoleField
from centre.tenancy.routing import SchemaAlias, _tenant_labels

#: Shared tables without rows of tenants that a tenant's role may read, and why that is no leak.
READABLE = {
    "registry_municipality": "who is hosted here is public knowledge",
    "registry_domain": "host names are public knowledge",
    "django_content_type": "names of models",
    "directory_directorysnapshot": "the directory is public among all peers, and signed",
    "outbox_link": "how the way to each centre does; no letter and no municipality is named",
    "outbox_attempt": "failed calls to a centre, as ranges of numbers",
    "inbox_issuedreceipt": "hashes of a batch: evidence of one letter needs its neighbours'",
    "outbox_receipt": "hashes of a batch: evidence of one letter needs its neighbours'",
}

ALL = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
OF_TENANTS = [model for model in ALL if model._meta.app_label in _tenant_labels()]
SHARED = [model for model in ALL if model._meta.app_label not in _tenant_labels()]
WITH_OWNER = [
    model
    for model in SHARED
    if any(isinstance(field, TenantRoleField) for field in model._meta.fields)
]
OF_CENTRE = [model for model in SHARED if model not in WITH_OWNER]
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def _label(model: type[models.Model]) -> str:
    return model._meta.label


def test_there_is_something_to_try() -> None:
    assert OF_TENANTS
    assert WITH_OWNER
    assert OF_CENTRE


# -- tables in municipalities' schemas ------------------------------------------------------------


@pytest.mark.parametrize("model", OF_TENANTS, ids=_label)
def test_row_of_one_tenant_is_refused_in_another(
    db: None, beta: Municipality, model: type[models.Model]
) -> None:
    row = model()
    row._state.adding = False
    row._state.db = SchemaAlias("m_alpha")
    row.pk = model._meta.pk.get_prep_value(None) or row.pk or 1
    with tenant_scope(beta):
        for use in (row.save, row.delete, row.refresh_from_db):
            with pytest.raises(WrongTenant):
                use()


@pytest.mark.parametrize("model", OF_TENANTS, ids=_label)
def test_table_is_out_of_reach_without_a_tenant(db: None, model: type[models.Model]) -> None:
    with pytest.raises(TenantRequired):
        model._base_manager.count()


@pytest.mark.parametrize("model", OF_TENANTS, ids=_label)
def test_role_of_another_tenant_is_denied(
    dsn: Callable[[str], str], model: type[models.Model]
) -> None:
    table = sql.Identifier("m_alpha", model._meta.db_table)
    with psycopg.connect(dsn("web"), autocommit=True) as connection:
        _denied(connection, sql.SQL("SELECT 1 FROM {}").format(table))
        connection.execute("SET ROLE krz_t_beta")
        for statement in ("SELECT 1 FROM {}", "DELETE FROM {}", "TRUNCATE {}"):
            _denied(connection, sql.SQL(statement).format(table))
        connection.execute("SET ROLE krz_t_alpha")
        connection.execute(sql.SQL("SELECT 1 FROM {}").format(table))


# -- shared tables with rows of tenants -----------------------------------------------------------


@pytest.fixture
def two_rows(
    committed_db: None, cluster: Any, model: type[models.Model]
) -> Iterator[psycopg.Connection[Any]]:
    """The table with a row of alpha and a row of beta, whatever its columns are.

    Made by the superuser with keys, checks and triggers switched off, in a database that is thrown
    away afterwards.
    """
    table = model._meta.db_table
    admin_url = cluster.server.dsn(
        user="postgres",
        password=cluster.server._admin_secret(),
        database=cluster.test_database,
    )
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for (name,) in admin.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            [table],
        ).fetchall():
            admin.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(table), sql.Identifier(name)
                )
            )
        # Low numbers may be taken: a municipality's trail begins with its founding.
        for number, role in enumerate(("krz_t_alpha", "krz_t_beta"), start=8):
            _insert(admin, table, role, number)
    with psycopg.connect(cluster.url("web"), autocommit=True) as web:
        yield web


def _insert(connection: psycopg.Connection[Any], table: str, role: str, number: int) -> None:
    columns = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped "
        "AND a.attnotnull AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum",
        [table],
    ).fetchall()
    values = {
        name: _SAMPLES[kind].format(n=number) for name, kind in columns if name != "tenant_role"
    }
    values["tenant_role"] = role
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Literal, values.values())),
        )
    )


_SAMPLES = {
    "uuid": "00000000-0000-7000-8000-00000000000{n}",
    "text": "{n}",
    "character varying": "{n}",
    "character": "{n}",
    "bytea": "\\x0{n}",
    "boolean": "true",
    "smallint": "{n}",
    "integer": "{n}",
    "bigint": "{n}",
    "double precision": "{n}",
    "timestamp with time zone": "2026-02-15 08:0{n}+00",
    "date": "2026-02-1{n}",
    "interval": "{n} s",
    "jsonb": "{{}}",
    "xid8": "{n}",
    "text[]": "{{}}",
    "bytea[]": "{{}}",
}


@pytest.mark.parametrize("model", WITH_OWNER, ids=_label)
def test_shared_table_shows_and_takes_own_rows_only(
    two_rows: psycopg.Connection[Any], model: type[models.Model]
) -> None:
    table = sql.Identifier(model._meta.db_table)
    web = two_rows
    web.execute("SET ROLE krz_t_alpha")
    rights = _rights(web, model._meta.db_table)
    if "SELECT" in rights:
        owners = web.execute(sql.SQL("SELECT tenant_role FROM {}").format(table)).fetchall()
        assert set(owners) == {("krz_t_alpha",)}
    if "UPDATE" in rights:
        give_away = sql.SQL("UPDATE {} SET tenant_role = 'krz_t_beta'").format(table)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute(give_away)
        column = sql.Identifier(_updatable(web, model._meta.db_table))
        keep = sql.SQL("UPDATE {} SET {} = {}").format(table, column, column)
        assert web.execute(keep).rowcount >= 1
    if "DELETE" in rights:
        assert web.execute(sql.SQL("DELETE FROM {}").format(table)).rowcount >= 1
        web.execute("RESET ROLE")
        web.execute("SET ROLE krz_t_beta")
        left = web.execute(sql.SQL("SELECT tenant_role FROM {}").format(table)).fetchall()
        assert ("krz_t_beta",) in left
        web.execute("SET ROLE krz_t_alpha")
    if "INSERT" in rights:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _insert(web, model._meta.db_table, "krz_t_beta", 3)
    assert not rights & {"TRUNCATE", "REFERENCES", "TRIGGER"}


@pytest.mark.parametrize("model", WITH_OWNER, ids=_label)
def test_shared_table_forces_row_level_security(
    dsn: Callable[[str], str], model: type[models.Model]
) -> None:
    with psycopg.connect(dsn("owner")) as owner:
        flags = owner.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            [model._meta.db_table],
        ).fetchone()
    assert flags == (True, True), (
        f"{model._meta.label} has a TenantRoleField, but no migration says ShareAmongTenants"
    )


# -- shared tables of the centre -------------------------------------------------------------------


@pytest.mark.parametrize("model", OF_CENTRE, ids=_label)
def test_table_of_the_centre_is_not_a_tenants(
    dsn: Callable[[str], str], model: type[models.Model]
) -> None:
    table = model._meta.db_table
    with psycopg.connect(dsn("web"), autocommit=True) as web:
        web.execute("SET ROLE krz_t_alpha")
        rights = _rights(web, table)
    assert not rights & set(WRITES), f"{table} has no owner's role, but tenants may {rights}"
    assert not rights or table in READABLE, (
        f"tenants may read {table}: give it a TenantRoleField and ShareAmongTenants, or list it in "
        "READABLE with what makes that harmless"
    )


# -- whole schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["web", "worker", "federation"])
def test_login_reaches_no_schema_of_a_tenant(dsn: Callable[[str], str], login: str) -> None:
    with psycopg.connect(dsn(login), autocommit=True) as connection:
        schemas = _schemas(connection)
        assert schemas >= {"m_alpha", "m_beta", "m_gamma"}
        assert _reachable(connection) == set()


@pytest.mark.parametrize("login", ["web", "worker"])
@pytest.mark.parametrize("slug", ["alpha", "beta", "gamma"])
def test_role_of_a_tenant_reaches_its_own_schema_only(
    dsn: Callable[[str], str], login: str, slug: str
) -> None:
    with psycopg.connect(dsn(login), autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(f"krz_t_{slug}")))
        assert _reachable(connection) == {f"m_{slug}"}
        _denied(connection, sql.SQL("CREATE TABLE public.mine (id int)"))
        _denied(connection, sql.SQL("CREATE SCHEMA mine"))


def test_federation_can_become_nobody(dsn: Callable[[str], str]) -> None:
    with psycopg.connect(dsn("federation"), autocommit=True) as connection:
        for role in ("krz_t_alpha", "krz_tenants", "krz_owner", "krz_web"):
            _denied(connection, sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("login", ["owner", "web", "worker", "federation"])
def test_no_login_is_above_row_level_security(dsn: Callable[[str], str], login: str) -> None:
    with psycopg.connect(dsn(login)) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
    assert row == (False, False)


def _schemas(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|info)'")
    return {name for (name,) in rows}


def _reachable(connection: psycopg.Connection[Any]) -> set[str]:
    """Schemas of tenants in which one statement at least succeeds, tried one by one."""
    reached = set()
    for schema in sorted(_schemas(connection) - {"public"}):
        try:
            connection.execute(
                sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(schema, "django_migrations"))
            )
        except psycopg.errors.InsufficientPrivilege:
            continue
        reached.add(schema)
    return reached


def _rights(connection: psycopg.Connection[Any], table: str) -> set[str]:
    """What the role may do with the table, or with any column of it."""
    return {
        right
        for right in ("SELECT", *WRITES)
        if connection.execute(
            sql.SQL("SELECT {}(current_user, %s, %s)").format(
                sql.Identifier(
                    "has_any_column_privilege"
                    if right in {"SELECT", "INSERT", "UPDATE", "REFERENCES"}
                    else "has_table_privilege"
                )
            ),
            [f"public.{table}", right],
        ).fetchone()
        == (True,)
    }


def _updatable(connection: psycopg.Connection[Any], table: str) -> str:
    row = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND has_column_privilege(current_user, attrelid, attnum, 'UPDATE') "
        "AND has_column_privilege(current_user, attrelid, attnum, 'SELECT')",
        [table],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _denied(connection: psycopg.Connection[Any], statement: sql.SQL | sql.Composed) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)

"""The database of a centre and the roles that its processes log in with.

Works on any PostgreSQL from 16 on, given an administrator's address: a superuser, or a role with
CREATEROLE and CREATEDB. Nothing of the product runs as that administrator.
"""

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from centre.tenancy.checks import OLDEST_POSTGRESQL
from console.errors import ConsoleError

#: Login roles, by the process that uses each.
LOGINS = ("owner", "web", "worker", "federation")
#: What no login may be; only a superuser can take it away.
_FORBIDDEN: Final = ("rolsuper", "rolbypassrls", "rolcreatedb", "rolreplication")


class ClusterRefused(ConsoleError):
    """This server cannot be a centre's."""

    reason = "CLUSTER_REFUSED"


def ensure_cluster(
    admin_dsn: str,
    *,
    prefix: str,
    passwords: Mapping[str, str],
    database: str = "amtsbruecke",
    belongs_to: str = "",
) -> None:
    """Create the database and its roles, or bring them to the state that the product expects.

    `passwords` has one for each of `LOGINS`. Idempotent; running it again sets the passwords anew.
    Raises `ClusterRefused` if the server is too old, a role there may more than it should, or the
    roles are those of somebody else: `belongs_to` says who we are and is noted at the database.
    """
    try:
        conninfo_to_dict(admin_dsn)
    except psycopg.ProgrammingError:
        # Its words quote the address, and that has a password in it.
        raise ClusterRefused(
            "The address of the database cannot be read.",
            hint="Such as postgresql://USER:PASSWORD@HOST:5432/postgres; in a password % is %25,"
            " @ is %40, / is %2F.",
        ) from None
    with psycopg.connect(admin_dsn, autocommit=True, connect_timeout=10) as connection:
        if (version := connection.info.server_version) < OLDEST_POSTGRESQL:
            raise ClusterRefused(
                f"PostgreSQL {version // 10_000} is too old.",
                hint=f"From {OLDEST_POSTGRESQL // 10_000} on: see docs/guides/operating.md.",
            )
        if belongs_to:
            _refuse_foreign(connection, prefix, belongs_to)
        try:
            for login in LOGINS:
                name = f"{prefix}_{login}"
                _ensure_login(connection, name, passwords[login], owner=login == "owner")
            _ensure_group(connection, f"{prefix}_tenants", owner=f"{prefix}_owner")
            _ensure_database(connection, database, prefix)
            if belongs_to:
                connection.execute(
                    sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                        sql.Identifier(database), sql.Literal(belongs_to)
                    )
                )
        except psycopg.errors.InsufficientPrivilege as error:
            raise ClusterRefused(
                f"This administrator may not do it: {' '.join(str(error).split())}",
                hint="It needs CREATEROLE and CREATEDB. If roles of this name are there already,"
                " let their administrator do it, or give the centre another name.",
            ) from error


def _refuse_foreign(connection: psycopg.Connection, prefix: str, belongs_to: str) -> None:
    """Two centres with the same roles would take each other's passwords and rows."""
    rows = connection.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE pg_get_userbyid(datdba) = %s",
        [f"{prefix}_owner"],
    ).fetchall()
    for name, noted in rows:
        if noted not in {None, belongs_to}:
            raise ClusterRefused(
                f"The roles {prefix}_* and the database {name} belong to another centre ({noted}).",
                hint="Give this centre another name, or bring back its folder with the master key.",
            )


def _role_exists(connection: psycopg.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    return found.fetchone() is not None


def _ensure_login(connection: psycopg.Connection, name: str, password: str, *, owner: bool) -> None:
    """The owner may create the municipalities' roles; none may read past row-level security."""
    role = sql.Identifier(name)
    if not _role_exists(connection, name):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    rights = sql.SQL("CREATEROLE INHERIT" if owner else "NOCREATEROLE NOINHERIT")
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN {} PASSWORD {}").format(role, rights, sql.Literal(password))
    )
    _refuse_power(connection, name)


def _refuse_power(connection: psycopg.Connection, name: str) -> None:
    """Who is no superuser may not even say NOSUPERUSER, so this looks instead."""
    row = connection.execute(
        sql.SQL("SELECT {} FROM pg_roles WHERE rolname = %s").format(
            sql.SQL(", ").join(map(sql.Identifier, _FORBIDDEN))
        ),
        [name],
    ).fetchone()
    assert row is not None
    if powers := [power for power, has in zip(_FORBIDDEN, row, strict=True) if has]:
        raise ClusterRefused(
            f"The role {name} may more than it should ({', '.join(powers)}).",
            hint=f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOREPLICATION;",
        )


def _ensure_group(connection: psycopg.Connection, name: str, *, owner: str) -> None:
    """All municipalities' roles are members; only the owner may add one."""
    if not _role_exists(connection, name):
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    connection.execute(
        sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(
            sql.Identifier(name), sql.Identifier(owner)
        )
    )


def _ensure_database(connection: psycopg.Connection, name: str, prefix: str) -> None:
    database, owner = sql.Identifier(name), sql.Identifier(f"{prefix}_owner")
    _let_act_for(connection, owner)
    found = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if found is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                database, owner
            )
        )
    elif found != (f"{prefix}_owner",):
        raise ClusterRefused(
            f"There is a database {name} already, and it belongs to {found[0]}.",
            hint="Name another one: --database-name.",
        )
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for login in LOGINS:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                database, sql.Identifier(f"{prefix}_{login}")
            )
        )


def _let_act_for(connection: psycopg.Connection, owner: sql.Identifier) -> None:
    """Who is no superuser gives a database away only to a role that it may act as."""
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if row.fetchone() != (True,):
        connection.execute(
            sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(owner)
        )

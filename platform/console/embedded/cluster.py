"""The database of a centre and the roles that its processes log in with.

Works on any PostgreSQL from 16 on, given an administrator's address: the embedded server's
superuser, or in production a role with CREATEROLE and CREATEDB. Nothing of the product runs as that
administrator.
"""

from collections.abc import Mapping

import psycopg
from psycopg import sql

#: Login roles, by the process that uses each.
LOGINS = ("owner", "web", "worker", "federation")


def ensure_cluster(
    admin_dsn: str, *, prefix: str, passwords: Mapping[str, str], database: str = "amtsbruecke"
) -> None:
    """Create the database and its roles, or bring them to the state that the product expects.

    `passwords` has one for each of `LOGINS`. Idempotent; running it again sets the passwords anew.
    """
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for login in LOGINS:
            _ensure_login(connection, f"{prefix}_{login}", passwords[login], owner=login == "owner")
        _ensure_group(connection, f"{prefix}_tenants", owner=f"{prefix}_owner")
        _ensure_database(connection, database, prefix)


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
        sql.SQL(
            "ALTER ROLE {} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOREPLICATION {} PASSWORD {}"
        ).format(role, rights, sql.Literal(password))
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
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    database, owner = sql.Identifier(name), sql.Identifier(f"{prefix}_owner")
    if found.fetchone() is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                database, owner
            )
        )
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for login in LOGINS:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                database, sql.Identifier(f"{prefix}_{login}")
            )
        )

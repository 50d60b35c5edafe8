"""Whether database and documents are as they should be."""

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment, Process
from centre.kernel.counting import counted
from centre.tenancy.checks import OLDEST_POSTGRESQL, shares_server_connections
from console.doctor.findings import Finding, Grade

_NEARLY_FULL = 0.9
#: What makes PostgreSQL write rows and statements, so content, into its own log.
_TALKATIVE = """
SELECT name, setting FROM pg_settings
 WHERE (name = 'log_min_error_statement' AND setting NOT IN ('log', 'fatal', 'panic')
        AND current_setting('log_min_messages') NOT IN ('log', 'fatal', 'panic'))
    OR (name = 'log_error_verbosity' AND setting <> 'terse'
        AND current_setting('log_min_messages') NOT IN ('log', 'fatal', 'panic'))
    OR (name = 'log_statement' AND setting <> 'none')
    OR (name = 'log_min_duration_statement' AND setting <> '-1')
"""


def databases(environment: Environment) -> Iterator[Finding]:
    for process in Process:
        url = environment.database_urls.get(process)
        if not url:
            yield Finding(
                Grade.WARNING, f"AMTSBRUECKE_{process.upper()}_DATABASE_URL is not set here"
            )
            continue
        yield from _login(process, url, environment.role_prefix)


def _login(process: Process, url: str, prefix: str) -> Iterator[Finding]:
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=5))
        version = connection.info.server_version
        if version < OLDEST_POSTGRESQL:
            yield Finding(Grade.BAD, f"PostgreSQL {version // 10_000} is too old: 16 or newer")
        row = connection.execute(
            "SELECT current_user, rolsuper, rolbypassrls, rolinherit, rolcreaterole"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row is not None
        user, superuser, bypass, inherits, creates_roles = row
        wrong = []
        if superuser or bypass:
            wrong.append("it reads past row-level security")
        if process is not Process.OWNER and inherits:
            wrong.append("it inherits rights of municipalities (NOINHERIT is missing)")
        if process is not Process.OWNER and creates_roles:
            wrong.append("it may create roles")
        if user != f"{prefix}_{process}":
            wrong.append(f"its name should be {prefix}_{process}")
        if shares_server_connections(connection, stack, {"conninfo": url}):
            wrong.append(
                "a pooler in transaction mode stands before the server, which mixes up"
                " municipalities: use session mode"
            )
        if wrong:
            yield Finding(Grade.BAD, f"login {user}: {'; '.join(wrong)}")
        else:
            host = conninfo_to_dict(url).get("host")
            yield Finding(Grade.GOOD, f"login {user} at {host}, PostgreSQL {version // 10_000}")


def migrations(environment: Environment) -> Iterator[Finding]:
    if environment.process is not Process.OWNER:
        return
    from console.migrations import pending

    todo = pending()
    if todo:
        yield Finding(
            Grade.BAD,
            f"{counted(len(todo), 'schema is', 'schemas are')} not at this version:"
            " amtsbruecke migrate",
        )
    else:
        yield Finding(Grade.GOOD, "all schemas are at this version")


def database_log(environment: Environment) -> Iterator[Finding]:
    with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
        found = connection.execute(_TALKATIVE).fetchall()
    if found:
        said = ", ".join(f"{name} = {value}" for name, value in found)
        yield Finding(
            Grade.WARNING,
            f"PostgreSQL may write content of cases into its log ({said}): see"
            " docs/guides/operating.md, What logs may hold",
        )
    else:
        yield Finding(Grade.GOOD, "PostgreSQL's log holds no statements and no rows")


def documents(environment: Environment) -> Iterator[Finding]:
    """Whether the documents that lie in files are to be found, and new ones can be stored."""
    from federation.blobs import selectors, services, stores
    from federation.blobs.errors import FilesUnusable

    try:
        if (files := stores.folder()) is not None:
            files.check()
        in_files = environment.process is Process.OWNER and selectors.count_in_files()
        if files is None:
            if in_files:
                yield Finding(
                    Grade.BAD,
                    f"{counted(in_files, 'document lies in a file', 'documents lie in files')},"
                    " and AMTSBRUECKE_DOCUMENTS is not set",
                )
            elif environment.role != "umbrella":
                yield Finding(
                    Grade.GOOD,
                    "AMTSBRUECKE_DOCUMENTS is not set: new documents go into the database",
                )
            return
        missing = in_files and services.count_missing_files()
    except FilesUnusable as problem:
        yield Finding(Grade.BAD, problem.message)
        return
    yield from _privacy(environment.documents)
    if missing:
        yield Finding(
            Grade.BAD,
            f"{counted(missing, 'document has lost its', 'documents have lost their')} file in"
            f" {environment.documents}: restore from the back-up (docs/guides/operating.md)",
        )
    else:
        yield Finding(Grade.GOOD, f"documents can be stored in {environment.documents}")


def _privacy(folder: Path | None) -> Iterator[Finding]:
    if folder is not None and (mode := stat.S_IMODE(folder.stat().st_mode)) & 0o077:
        yield Finding(
            Grade.WARNING,
            f"others may enter {folder} (mode {mode:04o}): chmod 700, for the centre's account",
        )


def quota(environment: Environment) -> Iterator[Finding]:
    """Whose documents will soon be refused."""
    if environment.process is not Process.OWNER:
        return
    from django.conf import settings

    from federation.blobs import selectors

    quota = settings.BLOB_QUOTA_BYTES
    for role, used in selectors.fullest(from_bytes=_NEARLY_FULL * quota):
        yield Finding(
            Grade.WARNING,
            f"the documents of {role} take {used / 10**9:.1f} of {quota / 10**9:.0f} GB:"
            " AMTSBRUECKE_DOCUMENTS_QUOTA_GB",
        )

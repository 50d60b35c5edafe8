"""One process or engine: kept running until it is told to stop."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol

from console import processes
from console.embedded.engine import Engine

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: A process that lived this long has earned the shortest pause again.
STEADY_SECONDS = 30.0


class Stage(IntEnum):
    """The order in which a centre stops; it starts in the reverse order."""

    DRAINS = 0
    RECEIVES = 1
    BROKER = 2
    DATABASE = 3


class State(StrEnum):
    """How a service is."""

    STOPPED = "stopped"
    RUNNING = "running"
    PAUSING = "pausing"  # it died and will be started again


class Program(Protocol):
    """Something that can be started, more than once, and stopped."""

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it and return its process."""

    def finish(self) -> None:
        """Stop it in its own good way; also clears up after its death."""


class EngineProgram:
    """An embedded engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the engine; it is ready on return."""
        self._engine.start()
        assert self._engine.process is not None
        return self._engine.process

    def finish(self) -> None:
        """Stop the engine and give its directory free."""
        self._engine.stop()


@dataclass(kw_only=True)
class CommandProgram:
    """A command of ours in a process of its own, whose words go to `say`, line by line."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    say: Callable[[str], None]
    cwd: Path
    patience: float = 20.0
    inherit: tuple[int, ...] = ()
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process and a thread that reads what it says."""
        process = processes.spawn(
            self.command,
            env=self.env,
            cwd=self.cwd,
            output=subprocess.PIPE,
            die=signal.SIGTERM,
            inherit=self.inherit,
        )
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        return process

    def finish(self) -> None:
        """Ask it to drain; kill what is left after its patience."""
        if self._process is not None:
            processes.stop(self._process, (signal.SIGTERM, self.patience))
        if self._reader is not None:
            self._reader.join()
        self._process = self._reader = None

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            for line in pipe:
                self.say(line.decode(errors="replace").rstrip())


class Service:
    """A program under supervision: who dies is started again, with growing pauses."""

    def __init__(
        self, name: str, stage: Stage, program: Program, *, report: Callable[[str], None]
    ) -> None:
        self.name = name
        self.stage = stage
        self.restarts = 0
        self._program = program
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._changing = threading.Lock()  # a stop never crosses a restart
        self._watcher: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def state(self) -> State:
        """How the service is."""
        if self._watcher is None:
            return State.STOPPED
        return State.RUNNING if self.pid is not None else State.PAUSING

    def start(self) -> None:
        """Start it; what prevents the first start is raised, what happens later is reported."""
        if self._watcher is not None:
            return
        self._stopping.clear()
        self._process = self._program.launch()
        self._watcher = threading.Thread(
            target=self._watch, args=(self._process,), name=f"watch {self.name}", daemon=True
        )
        self._watcher.start()

    def stop(self) -> None:
        """Stop it; returns when it has ended. Twice is no error."""
        if self._watcher is None:
            return
        self._stopping.set()
        with self._changing:
            self._program.finish()
        self._watcher.join()
        self._watcher = self._process = None

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        pause, since = FIRST_PAUSE, time.monotonic()
        while True:
            code = process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - since > STEADY_SECONDS:
                pause = FIRST_PAUSE
            self._report(f"{_ending(code)}; it is started again in {pause:g} s")
            with self._changing:
                self._program.finish()
            if self._stopping.wait(pause):
                return
            pause, since = min(pause * 2, LONGEST_PAUSE), time.monotonic()
            with self._changing:
                if self._stopping.is_set():
                    return
                try:
                    self._process = process = self._program.launch()
                except Exception as problem:  # noqa: BLE001 -- a watch that ends would watch no more
                    self._report(f"does not start: {problem}")
                    continue  # the old process has ended, so the loop pauses again
            self.restarts += 1


def _ending(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"

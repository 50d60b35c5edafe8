"""The one process above all others of a computer."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Self

from console.embedded.lock import DirectoryLock
from console.errors import ConsoleError
from console.home import CentreFolder, Home
from console.supervisor.centre import CentreRunner
from console.supervisor.control import ControlServer
from console.supervisor.output import Output
from console.supervisor.service import Stage


class Supervisor:
    """Runs centres until told to stop. Leaving the context stops all, whatever happened."""

    def __init__(self, home: Home, *, output: Output | None = None) -> None:
        self._home = home
        self._output = output or Output()
        self._lock = DirectoryLock(
            home.path / "supervisor.lock",
            what="The supervisor",
            way_out="Let it take a centre along (amtsbruecke centre start NAME), stop it"
            " (amtsbruecke centre stop-all)",
        )
        self._runners: dict[str, CentreRunner] = {}
        self._stop_asked = threading.Event()
        #: What it does that nobody interrupts, for those who wait for its end.
        self.doing = ""
        self._control = ControlServer(home, self._answer)

    def __enter__(self) -> Self:
        self._home.create()
        self._lock.acquire()
        try:
            self._control.start()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop_all()
        finally:
            self._control.stop()
            self._lock.release()

    @property
    def centres(self) -> Sequence[CentreRunner]:
        """The centres that were started here, running or not."""
        return list(self._runners.values())

    def start(self, folders: Sequence[CentreFolder]) -> None:
        """Start centres, several at a time. If one cannot start, its problem is raised."""
        for folder in folders:
            self._runners.setdefault(folder.name, CentreRunner(folder, self._output))
        chosen = [self._runners[folder.name] for folder in folders]
        with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
            for started in [pool.submit(runner.start) for runner in chosen]:
                started.result()

    def ask_to_stop(self) -> None:
        """Let `wait` return; from any thread or signal handler."""
        self._stop_asked.set()

    @property
    def asked_to_stop(self) -> bool:
        """Whether somebody wants us to end."""
        return self._stop_asked.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until somebody asks us to stop, at most `seconds`; say whether somebody did."""
        return self._stop_asked.wait(seconds)

    @contextlib.contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """Turn Ctrl-C and SIGTERM into a clean stop; a second one interrupts what is under way."""

        def ask(number: int, frame: FrameType | None) -> None:
            del frame
            if self._stop_asked.is_set():
                raise KeyboardInterrupt
            self._output.line("all", "supervisor", f"{signal.Signals(number).name}: stopping")
            self.ask_to_stop()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop_all(self) -> None:
        """Stage by stage across all centres: no database stops while anybody still drains."""
        if not self._runners:
            return
        with ThreadPoolExecutor(max_workers=len(self._runners)) as pool:
            for stage in Stage:
                for stopped in [pool.submit(each.stop, stage) for each in self._runners.values()]:
                    stopped.result()

    def _answer(self, action: str, centre: str) -> dict[str, object]:
        """Do what a second terminal asks."""
        changed: list[str] = []
        if action == "stop-all":
            self.ask_to_stop()
        elif action != "status":
            runner = self._runner(centre)
            if action == "roll":
                runner.roll()
                changed = runner.changed_settings()
            elif action == "restart":
                runner.restart()
            elif action == "stop":
                runner.stop()
            else:
                runner.start()
        centres = [_status(runner) for runner in self._runners.values()]
        return {"centres": centres, "doing": self.doing, "changed": changed}

    def _runner(self, name: str) -> CentreRunner:
        if name not in self._runners:
            folder = self._home.existing(name)
            self._runners[name] = CentreRunner(folder, self._output)
        return self._runners[name]


def _status(runner: CentreRunner) -> dict[str, object]:
    return {
        "centre": runner.name,
        "running": runner.running,
        "services": [
            {
                "name": service.name,
                "state": service.state.value,
                "pid": service.pid,
                "restarts": service.restarts,
            }
            for service in runner.services
        ],
    }


def require_some(folders: Sequence[CentreFolder], home: Home) -> None:
    """Refuse to run nothing."""
    if not folders:
        raise ConsoleError(
            f"There is no centre in {home.path}.",
            hint="Set up the demo with `amtsbruecke demo`, or name another --home.",
        )

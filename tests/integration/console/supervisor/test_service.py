"""A supervised process: restarted when it dies, gone when it is stopped, whatever it does."""

import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console import processes
from console.supervisor import service as module
from console.supervisor.service import CommandProgram, Service, Stage, State

SPEAKS = "import sys; print('here', flush=True); sys.stdin.read(); import signal; signal.pause()"
IGNORES_TERM = (
    "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)
HAS_A_CHILD = (
    "import subprocess, sys, signal; child = subprocess.Popen([sys.executable, '-c', "
    "'import signal; signal.pause()']); print(child.pid, flush=True); signal.pause()"
)


class Trial:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reported: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.services: list[Service] = []

    def start(self, code: str, *, patience: float = 10.0) -> Service:
        program = CommandProgram(
            command=(sys.executable, "-c", code),
            env=os.environ.copy(),
            say=self.said.put,
            cwd=self.folder,
            patience=patience,
        )
        service = Service("trial", Stage.DRAINS, program, report=self.reported.put)
        self.services.append(service)
        service.start()
        return service


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    trial = Trial(tmp_path)
    yield trial
    for service in trial.services:
        service.stop()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def test_what_it_says_arrives_line_by_line(trial: Trial) -> None:
    trial.start(SPEAKS)
    assert trial.said.get(timeout=20) == "here"


def test_killed_process_is_started_again_and_reported(trial: Trial) -> None:
    service = trial.start(SPEAKS)
    trial.said.get(timeout=20)
    first = service.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert trial.said.get(timeout=20) == "here"
    eventually(lambda: service.state is State.RUNNING and service.restarts == 1)
    assert service.pid not in {None, first}
    assert trial.reported.get(timeout=20).startswith("killed by SIGKILL; it is started again")


def test_process_that_always_ends_is_started_with_growing_pauses(trial: Trial) -> None:
    service = trial.start("raise SystemExit(3)")
    pauses = [trial.reported.get(timeout=20) for _ in range(4)]
    assert pauses == [
        f"ended with code 3; it is started again in {pause:g} s"
        for pause in (0.01, 0.02, 0.04, 0.08)
    ]
    service.stop()
    assert service.state is State.STOPPED


def test_start_that_fails_in_whatever_way_is_tried_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = trial.start(SPEAKS)
    trial.said.get(timeout=20)
    launch, troubles = CommandProgram.launch, [LookupError("odd"), OSError("no memory")]

    def trouble(program: CommandProgram) -> Any:
        if troubles:
            raise troubles.pop(0)
        return launch(program)

    monkeypatch.setattr(CommandProgram, "launch", trouble)
    assert service.pid is not None
    os.kill(service.pid, signal.SIGKILL)
    assert trial.said.get(timeout=20) == "here"
    assert trial.reported.get(timeout=20).startswith("killed by SIGKILL")
    assert trial.reported.get(timeout=20) == "does not start: odd"


def test_stop_ends_a_process_that_ignores_the_polite_signal(trial: Trial) -> None:
    service = trial.start(IGNORES_TERM, patience=0.2)
    trial.said.get(timeout=20)
    pid = service.pid
    assert pid is not None
    service.stop()
    assert not processes.exists(pid)


def test_children_of_a_killed_process_do_not_stay(trial: Trial) -> None:
    service = trial.start(HAS_A_CHILD)
    child = int(trial.said.get(timeout=20))
    assert service.pid is not None
    os.kill(service.pid, signal.SIGKILL)
    trial.said.get(timeout=20)
    assert processes.await_end(child, 20)


def test_stop_during_the_pause_does_not_start_it_again(trial: Trial) -> None:
    service = trial.start("raise SystemExit(1)")
    trial.reported.get(timeout=20)
    service.stop()
    assert service.state is State.STOPPED
    assert service.pid is None


def test_stopped_service_can_be_started_again(trial: Trial) -> None:
    service = trial.start(SPEAKS)
    trial.said.get(timeout=20)
    service.stop()
    service.start()
    assert trial.said.get(timeout=20) == "here"


def test_child_outlives_the_thread_that_started_it_but_not_the_process(trial: Trial) -> None:
    """The kernel's death signal follows the thread that forked; ours is one that stays."""
    import threading

    started: list[Service] = []
    thread = threading.Thread(target=lambda: started.append(trial.start(SPEAKS)))
    thread.start()
    thread.join()
    trial.said.get(timeout=20)
    (service,) = started
    assert service.state is State.RUNNING
    assert service.restarts == 0
    service.stop()

"""Children that never outlive us, and questions about processes that others started."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

_LAUNCHER = Path(__file__).with_name("launcher.py")
type _Child = subprocess.Popen[bytes]
_requests: queue.SimpleQueue[tuple[Future[_Child], Callable[[], _Child]]] = queue.SimpleQueue()
_starting = threading.Lock()
_spawner: threading.Thread | None = None


def _serve() -> None:
    while True:
        future, start = _requests.get()
        try:
            future.set_result(start())
        except BaseException as problem:  # noqa: BLE001 -- handed to the thread that asked
            future.set_exception(problem)


def _in_spawner(start: Callable[[], _Child]) -> _Child:
    """Start a child from a thread that lives as long as this process.

    Linux sends the death signal when the *thread* that forked the child ends, so a child started
    by a short-lived worker thread would die with that thread.
    """
    global _spawner  # noqa: PLW0603 -- one thread for the process
    with _starting:
        if _spawner is None or not _spawner.is_alive():
            _spawner = threading.Thread(target=_serve, name="spawner", daemon=True)
            _spawner.start()
    future: Future[_Child] = Future()
    _requests.put((future, start))
    return future.result()


def _forget_spawner() -> None:
    global _spawner, _starting  # a fork has neither the thread nor a sane lock
    _spawner, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_spawner)


def spawn(
    program: Sequence[str | Path],
    *,
    die: signal.Signals = signal.SIGTERM,
    account: str = "same",
    output: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    inherit: Sequence[int] = (),
) -> _Child:
    """Start `program` in a session of its own; the kernel sends it `die` when this process ends.

    A session of its own keeps Ctrl-C away from it: who stops what, and in which order, is ours to
    decide. `output` takes both its standard output and its standard error;
    `inherit` names descriptors that it keeps, under the same numbers.
    """
    command = [
        sys.executable,
        "-I",
        "-S",
        str(_LAUNCHER),
        str(os.getpid()),
        str(int(die)),
        account,
        *map(str, program),
    ]

    def start() -> _Child:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=tuple(inherit),
        )

    return _in_spawner(start)


def stop(process: _Child, *steps: tuple[signal.Signals, float]) -> int:
    """Send the signals one after the other, each with its patience in seconds; at last, kill.

    Returns the exit code. Children that the process left behind in its session are killed.
    """
    for number, patience in (*steps, (signal.SIGKILL, 10.0)):
        if process.poll() is not None:
            break
        process.send_signal(number)  # asks for the exit code first: no stranger is hit
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    kill_session(process)
    return process.wait()


def kill_session(process: _Child) -> None:
    """Kill whoever is left of the session that a child of ours led."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left, as it should be
        return


def exists(pid: int) -> bool:
    """Say whether a process (or its zombie) has this number; it may be anybody's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def working_in(directory: Path, program: str) -> Iterator[int]:
    """Yield the pids of processes called `program` whose working directory is `directory`.

    The identity that a pid file cannot give: after a restart of the machine its number belongs to
    somebody else. Without /proc (macOS) nothing is found.
    """
    try:
        wanted = directory.stat()
    except FileNotFoundError:
        return
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            here = (entry / "cwd").stat()
            name = (entry / "comm").read_text().strip()
        except OSError:  # ended meanwhile, a zombie, or another user's
            continue
        if (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino) and name == program:
            yield int(entry.name)


def memory_mb(pid: int) -> float:
    """Return the proportional resident memory of a process in MB; 0 when it is gone."""
    for name, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            text = Path(f"/proc/{pid}/{name}").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0.0


def descendants(pid: int) -> list[int]:
    """Return the pid and the pids of all its living children and grandchildren."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(children.get(found[-1], ()))
    return found


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that need not be our child; one that is gone is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def await_end(pid: int, patience: float) -> bool:
    """Wait until a process that need not be our child ends; say whether it did."""
    deadline = time.monotonic() + patience
    while exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)  # no event tells of the end of somebody else's child everywhere
    return True

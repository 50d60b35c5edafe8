"""Breaks things, one fault after the other, and mends them when their time is over.

A fault that finds nothing to break (no connection, no letter that waits) is tried until it does.
Each way of breaking returns how much it has really broken.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import psycopg

from benchmarks.faults import replay, takeover, walks
from benchmarks.faults.commits import LONGER_MS, longer_ms
from benchmarks.faults.plan import CENTRES, Fault, Kind
from benchmarks.faults.progress import Record
from benchmarks.faults.world import Say, World

_SLOWER_MS: Final = 2.0
_MID_BATCH: Final = 30_000
#: So long a fault looks for something to break, and a process may take to come back.
_PATIENCE_S: Final = 60.0
_TICK_S: Final = 0.1
#: A clock that is wrong by more than this is not merely read late.
_WRONG_S: Final = 1_800
_DISPATCHERS: Final = """
SELECT name FROM outbox_dispatcher
 WHERE alive_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 minute'
"""
# More than the free space of any relation, so that a file must grow.
_GROW: Final = """
CREATE TABLE faults_probe AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 2000) AS n
"""


class Injection:
    """Runs faults in threads of their own, each to its end."""

    def __init__(self, world: World, say: Say, record: Record) -> None:
        self._world = world
        self._say = say
        self._pool = ThreadPoolExecutor(16, "fault")
        self._running: list[Future[None]] = []
        self._lock = threading.Lock()
        # Two faults of a kind at one centre would mend each other: they come one by one.
        self._turns = {(kind, each): threading.Lock() for kind in Kind for each in CENTRES}
        # A letter of a clock that is an hour ahead of the reader's is put off for that hour.
        self._clocks = threading.Lock()
        self.record = record
        self._ways: Mapping[Kind, Callable[[Fault], int]] = {
            Kind.KILL: self._kill,
            Kind.CUT: self._cut,
            Kind.BREAK: self._break,
            Kind.HALF_OPEN: self._half_open,
            Kind.MUTE: self._mute,
            Kind.TWICE: self._twice,
            Kind.REPLAY: self._replay,
            Kind.REORDER: self._reorder,
            Kind.SKEW: self._skew,
            Kind.DISK_FULL: self._disk_full,
            Kind.SLOW_DISK: self._slow_disk,
            Kind.POISON: self._poison,
            Kind.DEAD_LETTERS: self._dead_letters,
        }

    def begin(self, fault: Fault) -> None:
        """Let something break; returns at once."""
        self._say(str(fault))
        self._running.append(self._pool.submit(self._do, fault))

    @property
    def busy(self) -> bool:
        """Whether something is still breaking: it needs traffic to break."""
        return not all(each.done() for each in self._running)

    def finish(self) -> None:
        """Wait until every fault is over."""
        for each in self._running:
            each.result()
        self._pool.shutdown()

    def problem(self, words: str) -> None:
        """Note that something is wrong: the run fails, whatever comes after."""
        self._say(f"PROBLEM {words}")
        with self._lock:
            self.record.problems.append(words)

    def _do(self, fault: Fault) -> None:
        try:
            with self._turns[fault.kind, fault.centre]:
                broken = self._way(fault)
        except Exception as problem:  # noqa: BLE001 -- told at the end, and the run fails
            self.problem(f"{fault}: {type(problem).__name__}: {problem}")
            return
        if not broken:
            self._say(f"{fault}: there was nothing to break")
        with self._lock:
            effects = self.record.effects
            effects[fault.kind] = effects.get(fault.kind, 0) + bool(broken)

    def _way(self, fault: Fault) -> int:
        """Break it; a database that another fault has just ended is waited for."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._ways[fault.kind](fault)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_TICK_S)

    # -- processes ---------------------------------------------------------------------------

    def _kill(self, fault: Fault) -> int:
        service = self._world.services(fault.centre)[fault.what]
        deadline = time.monotonic() + _PATIENCE_S
        while (pid := service.pid) is None:  # it is dead already, or not yet back
            if time.monotonic() > deadline:
                raise TimeoutError(f"{fault.what} of {fault.centre} does not come back")
            time.sleep(_TICK_S)
        os.kill(pid, signal.SIGKILL)
        with self._lock:
            self.record.kills += 1
        if fault.what.startswith("dispatch"):
            self._time_takeover(fault.centre, pid)
        return 1

    def _time_takeover(self, centre: str, pid: int) -> None:
        """Note how long the links of a dead dispatcher have nobody."""

        def held() -> set[str]:
            with self._world.connect(centre) as connection:
                rows = connection.execute("SELECT name, owner FROM outbox_link").fetchall()
            return {name for name, owner in rows if f":{pid}:" in owner}

        seconds = takeover.measure(held, lambda: self._has_dispatcher(centre))
        if seconds is not None:
            with self._lock:
                self.record.takeovers.append(round(seconds, 1))

    def _has_dispatcher(self, centre: str) -> bool:
        """Whether a dispatcher that runs is at work, and the disk lets it write."""
        if self._world.surroundings[centre].disk_full:
            return False
        services = self._world.services(centre)
        pids = [service.pid for name, service in services.items() if name.startswith("dispatch")]
        try:
            with self._world.connect(centre) as connection:
                alive = [name for (name,) in connection.execute(_DISPATCHERS)]
        except psycopg.OperationalError:
            return False
        return any(f":{pid}:" in name for pid in pids for name in alive)

    # -- the network -------------------------------------------------------------------------

    def _cut(self, fault: Fault) -> int:
        proxy = self._world.proxies[fault.centre]
        before = proxy.refused
        ended = proxy.cut()
        _sleep(fault.seconds, until=lambda: bool(ended or proxy.refused > before))
        proxy.heal()
        return ended + proxy.refused - before

    def _break(self, fault: Fault) -> int:
        proxy = self._world.proxies[fault.centre]
        before = proxy.broken

        def broke() -> bool:
            proxy.break_after(_MID_BATCH)  # those that came meanwhile, too
            return proxy.broken > before

        _sleep(fault.seconds, until=broke)
        return proxy.broken - before

    def _half_open(self, fault: Fault) -> int:
        proxy = self._world.proxies[fault.centre]
        before = proxy.swallowed

        def swallowed() -> bool:
            if proxy.swallowed == before:
                proxy.half_open()
            return proxy.swallowed > before

        _sleep(fault.seconds, until=swallowed)
        return proxy.swallowed - before

    def _mute(self, fault: Fault) -> int:
        proxy = self._world.proxies[fault.centre]
        before = proxy.swallowed

        def swallowed() -> bool:
            if proxy.swallowed == before:
                proxy.mute()
            return proxy.swallowed > before

        _sleep(fault.seconds, until=swallowed)
        proxy.hang_up()
        return proxy.swallowed - before

    def _twice(self, fault: Fault) -> int:
        again = walks.twice(self._world, fault.centre)
        with self._lock:
            self.record.twice += again
        return len(again)

    def _replay(self, fault: Fault) -> int:
        again = 0

        def repeated() -> bool:
            nonlocal again
            again = again or replay.replay(self._world, fault.centre)
            return bool(again)

        _sleep(fault.seconds, until=repeated)
        return again

    def _reorder(self, fault: Fault) -> int:
        return walks.reorder(self._world, fault.centre, seconds=fault.seconds)

    # -- clock and disk ----------------------------------------------------------------------

    def _skew(self, fault: Fault) -> int:
        surroundings = self._world.surroundings[fault.centre]
        wrong = False

        def is_wrong() -> bool:
            nonlocal wrong
            now = "SELECT extract(epoch FROM clock_timestamp())::float8"
            wrong = wrong or any(
                abs(at - time.time()) > _WRONG_S for (at,) in self._look(fault.centre, now)
            )
            return wrong

        with self._clocks:
            surroundings.set_clock(int(fault.what))
            _sleep(fault.seconds, until=is_wrong)
            surroundings.set_clock(0)
        return int(wrong)

    def _disk_full(self, fault: Fault) -> int:
        surroundings = self._world.surroundings[fault.centre]
        refused = False

        def has_refused() -> bool:
            nonlocal refused
            refused = refused or not self._may_grow(fault.centre)
            return refused

        surroundings.fill_disk(full=True)
        _sleep(fault.seconds, until=has_refused)
        surroundings.fill_disk(full=False)
        return int(refused)

    def _may_grow(self, centre: str) -> bool:
        """Whether the database can make a file longer; false only if it has said that it cannot."""
        try:
            with self._world.connect(centre) as connection:
                connection.autocommit = False
                connection.execute(_GROW)
                connection.rollback()
        except psycopg.errors.DiskFull:
            return False
        except psycopg.OperationalError:  # it is down
            pass
        return True

    def _slow_disk(self, fault: Fault) -> int:
        surroundings = self._world.surroundings[fault.centre]
        slower = False

        def is_slower() -> bool:
            nonlocal slower
            slower = slower or self._longer_ms(fault.centre) >= LONGER_MS
            surroundings.slow_disk(milliseconds=_SLOWER_MS)
            return slower

        _sleep(fault.seconds, until=is_slower)
        surroundings.slow_disk(milliseconds=0)
        return int(slower)

    def _longer_ms(self, centre: str) -> float:
        """Return by how much a slow disk makes a commit longer; 0 if the database is away."""
        try:
            with self._world.connect(centre) as connection:
                return longer_ms(
                    connection, self._world.surroundings[centre], milliseconds=_SLOWER_MS
                )
        except psycopg.OperationalError:
            return 0.0

    def _look(self, centre: str, question: str) -> list[tuple[float]]:
        """Return what a database says now; nothing if it is away."""
        try:
            with self._world.connect(centre) as connection:
                return [(answer,) for (answer,) in connection.execute(question)]
        except psycopg.OperationalError:
            return []

    # -- letters -----------------------------------------------------------------------------

    def _poison(self, fault: Fault) -> int:
        with self._clocks:
            forsaken = walks.poison(self._world, fault.centre)
        with self._lock:
            self.record.forsaken.append(forsaken)
        return 1

    def _dead_letters(self, fault: Fault) -> int:
        with self._clocks:
            cancelled = walks.dead_letters(self._world, fault.centre)
        with self._lock:
            self.record.cancelled.append(cancelled)
        return 1


def _sleep(seconds: float, *, until: Callable[[], bool]) -> None:
    """Wait so long, and longer until something was broken, but not for ever."""
    begin, done = time.monotonic(), False
    while True:
        done = until() or done
        passed = time.monotonic() - begin
        if passed > seconds and (done or passed > _PATIENCE_S):
            return
        time.sleep(_TICK_S)

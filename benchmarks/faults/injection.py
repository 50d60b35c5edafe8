"""Breaks things, one fault after the other, and mends them when their time is over."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import psycopg

from benchmarks.faults import replay, walks
from benchmarks.faults.plan import CENTRES, Fault, Kind
from benchmarks.faults.world import Say, World

_SLOWER_MS: Final = 2.0
_MID_BATCH: Final = 30_000
_LEASE_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class Record:
    """What has been done, and what came of it."""

    kills: int = 0
    done: int = 0
    replayed: int = 0
    #: Seconds until a link of a killed dispatcher had a new owner.
    takeovers: list[float] = field(default_factory=list)
    #: Messages that an operator has discarded at the receiver.
    forsaken: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Injection:
    """Runs faults in threads of their own, each to its end."""

    def __init__(self, world: World, say: Say) -> None:
        self._world = world
        self._say = say
        self._pool = ThreadPoolExecutor(16, "fault")
        self._running: list[Future[None]] = []
        self._lock = threading.Lock()
        # Two faults of a kind at one centre would mend each other: they come one by one.
        self._turns = {(kind, each): threading.Lock() for kind in Kind for each in CENTRES}
        self.record = Record()
        self._ways: Mapping[Kind, Callable[[Fault], None]] = {
            Kind.KILL: self._kill,
            Kind.CUT: self._cut,
            Kind.BREAK: self._break,
            Kind.HALF_OPEN: self._half_open,
            Kind.MUTE: self._mute,
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

    def finish(self) -> None:
        """Wait until every fault is over."""
        for each in self._running:
            each.result()
        self._pool.shutdown()

    def _do(self, fault: Fault) -> None:
        try:
            with self._turns[fault.kind, fault.centre]:
                self._ways[fault.kind](fault)
        except Exception as problem:  # noqa: BLE001 -- told at the end, and the run fails
            self._fail(f"{fault}: {type(problem).__name__}: {problem}")
        with self._lock:
            self.record.done += 1

    def _fail(self, words: str) -> None:
        self._say(f"PROBLEM {words}")
        with self._lock:
            self.record.problems.append(words)

    # -- processes ---------------------------------------------------------------------------

    def _kill(self, fault: Fault) -> None:
        service = self._world.services(fault.centre)[fault.what]
        deadline = time.monotonic() + _LEASE_PATIENCE_S
        while (pid := service.pid) is None:  # it is dead already, or not yet back
            if time.monotonic() > deadline:
                raise TimeoutError(f"{fault.what} of {fault.centre} does not come back")
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        with self._lock:
            self.record.kills += 1
        if fault.what.startswith("dispatch"):
            self._time_takeover(fault.centre, pid)

    def _time_takeover(self, centre: str, pid: int) -> None:
        """Note how long the links of a dead dispatcher have nobody."""
        begin = time.monotonic()
        held: set[str] | None = None
        while time.monotonic() < begin + _LEASE_PATIENCE_S:
            try:
                with self._world.connect(centre) as connection:
                    rows = connection.execute(
                        "SELECT name, owner, lease_until > clock_timestamp() FROM outbox_link"
                    ).fetchall()
            except psycopg.OperationalError:
                time.sleep(0.2)
                continue
            of_dead = {name for name, owner, _ in rows if f":{pid}:" in owner}
            if held is None:
                held = of_dead
            if not of_dead & held:
                break
            time.sleep(0.1)
        if held:
            with self._lock:
                self.record.takeovers.append(time.monotonic() - begin)

    # -- the network -------------------------------------------------------------------------

    def _cut(self, fault: Fault) -> None:
        proxy = self._world.proxies[fault.centre]
        proxy.cut()
        time.sleep(fault.seconds)
        proxy.heal()

    def _break(self, fault: Fault) -> None:
        self._world.proxies[fault.centre].break_after(_MID_BATCH)

    def _half_open(self, fault: Fault) -> None:
        self._world.proxies[fault.centre].half_open()

    def _mute(self, fault: Fault) -> None:
        proxy = self._world.proxies[fault.centre]
        proxy.mute()
        time.sleep(fault.seconds)
        proxy.hang_up()

    def _replay(self, fault: Fault) -> None:
        again = replay.replay(self._world, fault.centre)
        with self._lock:
            self.record.replayed += again

    def _reorder(self, fault: Fault) -> None:
        walks.reorder(self._world, fault.centre, seconds=fault.seconds)

    # -- clock and disk ----------------------------------------------------------------------

    def _skew(self, fault: Fault) -> None:
        surroundings = self._world.surroundings[fault.centre]
        surroundings.set_clock(int(fault.what))
        time.sleep(fault.seconds)
        surroundings.set_clock(0)

    def _disk_full(self, fault: Fault) -> None:
        surroundings = self._world.surroundings[fault.centre]
        surroundings.fill_disk(full=True)
        time.sleep(fault.seconds)
        surroundings.fill_disk(full=False)

    def _slow_disk(self, fault: Fault) -> None:
        surroundings = self._world.surroundings[fault.centre]
        surroundings.slow_disk(milliseconds=_SLOWER_MS)
        time.sleep(fault.seconds)
        surroundings.slow_disk(milliseconds=0)

    # -- letters -----------------------------------------------------------------------------

    def _poison(self, fault: Fault) -> None:
        forsaken = walks.poison(self._world, fault.centre)
        with self._lock:
            self.record.forsaken.append(forsaken)

    def _dead_letters(self, fault: Fault) -> None:
        walks.dead_letters(self._world, fault.centre)

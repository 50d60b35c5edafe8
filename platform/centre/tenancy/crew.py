"""Migrates schemas as Django does it, several at a time, each in a process of its own.

Not in threads: Django keeps what it knows of content types for all threads, and their ids differ
from schema to schema. A process that loses its parent finishes its schema and ends.
"""

import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import django
from django.db import DEFAULT_DB_ALIAS, connection, connections

from centre.tenancy import migrating
from centre.tenancy.locks import exclusively
from centre.tenancy.migrating import Fault

#: A process that does not end within so many seconds after its last schema is ended.
_FAREWELL = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """A schema to be migrated, and the lock that its migration takes."""

    schema: str
    lock: str


@dataclass(frozen=True, slots=True)
class Done:
    """How it went."""

    job: Job
    milliseconds: int
    fault: Fault | None


def migrate_all(jobs: Iterable[Job], *, processes: int) -> Iterator[Done]:
    """Migrate schemas as the owner, so many at a time; yield each as it ends."""
    waiting = deque(jobs)
    hands: dict[Any, _Hand] = {}
    try:
        while waiting or hands:
            while waiting and len(hands) < processes:
                hand = _Hand.hired()
                hands[hand.pipe] = hand
                hand.give(waiting.popleft())
            for pipe in wait(list(hands)):
                hand = hands[pipe]
                done = hand.result()
                if waiting and hand.able:
                    hand.give(waiting.popleft())
                else:
                    hands.pop(pipe).dismiss()
                yield done
    finally:
        for hand in hands.values():
            hand.dismiss()


@dataclass(slots=True)
class _Hand:
    """A process that migrates one schema after the other."""

    process: BaseProcess
    pipe: Connection
    able: bool = True
    _job: Job | None = None
    _since: float = field(default=0.0)

    @classmethod
    def hired(cls) -> "_Hand":
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, connection.settings_dict)
        process = context.Process(target=_work, args=arguments, name="amtsbruecke-migrate")
        process.start()
        theirs.close()  # so that its end is our end of the pipe, too
        return cls(process, ours)

    def give(self, job: Job) -> None:
        self._job, self._since = job, time.monotonic()
        with suppress(BrokenPipeError):  # `result` tells
            self.pipe.send(job)

    def result(self) -> Done:
        assert self._job is not None
        fault: Fault | None
        try:
            fault = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.able = False
            self.process.join(_FAREWELL)
            fault = Fault(f"its process ended with code {self.process.exitcode}")
        return Done(self._job, round((time.monotonic() - self._since) * 1000), fault)

    def dismiss(self) -> None:
        self.pipe.close()
        self.process.join(_FAREWELL)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()
        self.process.close()


def _work(pipe: Connection, settings_dict: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is enough
    django.setup()
    connections.settings[DEFAULT_DB_ALIAS] = settings_dict
    connections[DEFAULT_DB_ALIAS] = connections.create_connection(DEFAULT_DB_ALIAS)
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        fault = None
        try:
            with exclusively(job.lock):
                migrating.migrate(job.schema)
        except Exception as error:  # noqa: BLE001 -- a migration is any code, and others wait behind it
            fault = Fault.of(error)
            connection.close()
        with suppress(BrokenPipeError):  # then the next `recv` ends it
            pipe.send(fault)

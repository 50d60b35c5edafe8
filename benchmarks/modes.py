"""What is measured: one function for each way in which the two centres are used.

Each returns plain figures. Those of a link alone are taken while workers and pages rest; those of
the whole product while everything runs.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import psycopg

from benchmarks import probes, resources
from benchmarks.world import NAMES, BenchmarkError, World, wait_for

#: What rests while a link is measured alone.
NEIGHBOURS = ("worker", "beat", "web")
#: Dispatch looks once a second whether a link is paused: what is posted earlier still goes out.
_PAUSE_IS_SEEN_S = 1.5
_LATENCIES = """
SELECT extract(epoch FROM receipt.received_at - letter.accepted_at) * 1000 AS ms
  FROM outbox_letter AS letter CROSS JOIN LATERAL (
       SELECT received_at FROM outbox_receipt
        WHERE link = letter.link AND last_lseq >= letter.lseq ORDER BY last_lseq LIMIT 1) AS receipt
 WHERE letter.link = ANY(%s) AND letter.accepted_at >= %s AND letter.lseq > 0
"""
_WITHOUT_RECEIPT = """
SELECT EXISTS (SELECT FROM outbox_letter WHERE link = ANY(%(links)s) AND lseq IS NULL)
    OR EXISTS (SELECT FROM outbox_link
                WHERE name = ANY(%(links)s) AND next_lseq > acked_lseq + 1)
"""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; 0 for none."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


class Clockwork:
    """Takes times and processor seconds of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        # The looks of a measurement must not read whole tables either.
        self._connection = psycopg.connect(
            world.krz.url("owner"),
            autocommit=True,
            options="-c enable_seqscan=off -c enable_bitmapscan=off",
        )

    def now(self) -> datetime:
        row = self._connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        found: datetime = row[0]
        return found

    def relayed(self, *links: str, seconds: float = 900) -> float:
        """Wait until all letters of links (nord) have a receipt; return the moment."""
        names = list(links or ("nord",))

        def look() -> bool:
            (left,) = self._row(_WITHOUT_RECEIPT, {"links": names})
            return not left

        wait_for(look, seconds=seconds, what=f"all receipts of {', '.join(names)}")
        return time.perf_counter()

    def acked(self, link: str = "nord") -> int:
        """Return up to which position a link's receipts are stored."""
        found = self._connection.execute(
            "SELECT acked_lseq FROM outbox_link WHERE name = %s", (link,)
        ).fetchone()
        return int(found[0]) if found else 0

    def known(self, link: str) -> bool:
        """Whether dispatch has begun a link."""
        statement = "SELECT EXISTS (SELECT FROM outbox_link WHERE name = %s)"
        return bool(self._row(statement, (link,))[0])

    def _row(self, statement: str, parameters: Any = ()) -> tuple[Any, ...]:
        row = self._connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row

    def latencies(self, since: datetime, *links: str) -> list[float]:
        """Milliseconds from each accepted letter of links (nord) to its stored receipt."""
        names = list(links or ("nord",))
        return [float(row[0]) for row in self._connection.execute(_LATENCIES, (names, since))]

    @contextmanager
    def held(self, *links: str) -> Iterator[None]:
        """Pause links (nord) within the block, as an operator would."""
        names = links or ("nord",)
        # In a world that has just been founded dispatch may not have begun them.
        wait_for(lambda: all(map(self.known, names)), what=f"the links {', '.join(names)}")
        self._state(names, "paused")
        time.sleep(_PAUSE_IS_SEEN_S)
        try:
            yield
        finally:
            self._state(names, "active")

    def _state(self, links: Sequence[str], state: str) -> None:
        self.do("UPDATE outbox_link SET state = %s WHERE name = ANY(%s)", state, list(links))
        for link in links:
            self.do("SELECT pg_notify('amtsbruecke_dispatch', %s)", link)

    def do(self, statement: str, *parameters: Any, **named: Any) -> None:
        """Change the sending centre's database, as its owner."""
        self._connection.execute(statement, named or parameters)

    def cpu(self) -> float:
        """Seconds of processor that both centres have used so far."""
        return sum(self.cpu_by_process().values())

    def cpu_by_process(self) -> dict[str, float]:
        """The same for each process of each centre."""
        return {
            f"{name} {service}": seconds
            for name in NAMES
            for service, seconds in self.world.cpu(name).items()
        }


def target(world: World) -> dict[str, Any]:
    """Return who sends to whom: all towns of krz to all of nord."""
    return {"towns": list(range(world.tenants)), "recipients": world.nord.authorities}


# -- accepting -----------------------------------------------------------------------------------


def accept(world: World, count: int, *, bulk: int) -> dict[str, float]:
    """Send requests through the service that pages and imports use; deliveries go on."""
    step = world.krz.begin("submit", **target(world), count=count, bulk=bulk).ready()
    said = step.go().answer()
    return {
        "per_s": count / said["seconds"],
        "cpu_us": said["cpu_seconds"] / count * 1e6,
        "call_p50_ms": median(said["call_ms"]),
    }


def shares(clock: Clockwork, count: int) -> dict[str, float]:
    """Processor time of accepting alone, and of accepting and delivering, for one request."""
    world = clock.world
    step = world.krz.begin("submit", **target(world), count=count, bulk=1).ready()
    with clock.held():
        before = clock.cpu()
        said = step.go().answer()
        accepting = clock.cpu() - before + said["cpu_seconds"]
        before = clock.cpu()
    clock.relayed()
    delivering = clock.cpu() - before
    return {
        "accept_us": accepting / count * 1e6,
        "deliver_us": delivering / count * 1e6,
        "ratio": (accepting + delivering) / accepting,
    }


# -- a link alone --------------------------------------------------------------------------------


def live(clock: Clockwork, count: int, *, loaders: int = 1) -> dict[str, float]:
    """Post letters in transactions of 64 while they are delivered; until the last receipt."""
    world, since = clock.world, clock.now()
    steps = [
        world.krz.begin("post", **target(world), count=count // loaders).ready()
        for _ in range(loaders)
    ]
    before, begin = clock.cpu(), time.perf_counter()
    for step in steps:
        step.go()
    own = sum(step.answer()["cpu_seconds"] for step in steps)
    seconds = clock.relayed() - begin
    found = clock.latencies(since)
    return {
        "per_s": count / seconds,
        "cpu_us": (clock.cpu() - before + own) / count * 1e6,
        "p50_ms": percentile(found, 0.5),
        "p99_ms": percentile(found, 0.99),
    }


def drain(clock: Clockwork, count: int) -> dict[str, float]:
    """Let a backlog grow behind a paused link; measure from its release to the last receipt."""
    with clock.held():
        _pile_up(clock, count)
        before = clock.cpu()
    begin = time.perf_counter()
    seconds = clock.relayed() - begin
    return {"per_s": count / seconds, "cpu_us": (clock.cpu() - before) / count * 1e6}


def _pile_up(clock: Clockwork, count: int) -> None:
    """Post behind a pause. What went out all the same would count as drained in no time."""
    before = clock.acked()
    clock.world.krz.step("post", **target(clock.world), count=count)
    if clock.acked() != before:
        raise BenchmarkError("letters went out of a paused link")


def alone(clock: Clockwork, count: int, *, rest: float = probes.REST_S) -> dict[str, float]:
    """One letter at a time on an idle link, from its commit until another session sees a receipt.

    Seen from outside: a time that a transaction notes lies before its commit.
    """
    world = clock.world
    found = world.krz.step(
        "lone", **target(world), count=count, rest=rest, link="nord", url=world.krz.url("owner")
    )["ms"]
    return {"p50_ms": percentile(found, 0.5), "p99_ms": percentile(found, 0.99)}


def profile(clock: Clockwork, count: int) -> dict[str, float]:
    """Microseconds of each process for a letter on a live link, and of the one that posts."""
    before = clock.cpu_by_process()
    said = clock.world.krz.step("post", **target(clock.world), count=count)
    clock.relayed()
    after = clock.cpu_by_process()
    spent = {name: (after[name] - before[name]) / count * 1e6 for name in before}
    spent["krz the posting process"] = said["cpu_seconds"] / count * 1e6
    return {name: each for name, each in spent.items() if each >= 1}


def sustained(clock: Clockwork, count: int) -> dict[str, float]:
    """Drain a long backlog; the rate, and whether speed or memory change on the way."""
    world = clock.world
    watched = {"krz": "dispatch", "nord": "gateway"}
    first = clock.acked()
    with clock.held():
        _pile_up(clock, count)
    begin = time.perf_counter()
    marks = [(begin, first, _memory(world, watched))]

    def done() -> bool:
        acked = clock.acked()
        if acked - marks[-1][1] >= count // 10 or acked == first + count:
            marks.append((time.perf_counter(), acked, _memory(world, watched)))
        return acked == first + count

    wait_for(done, seconds=count / 200, what=f"{count} receipts")
    rates = [(late[1] - early[1]) / (late[0] - early[0]) for early, late in pairwise(marks)]
    third = max(1, len(rates) // 3)
    early_mib, last_mib = marks[min(2, len(marks) - 1)][2], marks[-1][2]
    return {
        "per_s": count / (marks[-1][0] - begin),
        "last_to_first": median(rates[-third:]) / median(rates[:third]),
        "growth_mib": max(last_mib[name] - early_mib[name] for name in last_mib),
    }


def _memory(world: World, services: Mapping[str, str]) -> dict[str, float]:
    return {
        service: resources.rss_mib(world.pids(centre)[service])
        for centre, service in services.items()
    }


def outage(clock: Clockwork, *, seconds: float, per_s: float) -> dict[str, float]:
    """Stop a link for so long; see how long the backlog lasts while load goes on as before."""
    world = clock.world
    calls = per_s / 64
    step = world.krz.begin(
        "post", **target(world), count=int(per_s * seconds * 3), pace=calls
    ).ready()
    step.go()
    with clock.held():
        time.sleep(seconds)
    begin = time.perf_counter()

    def caught_up() -> bool:
        return world.krz.waiting("nord") < 2 * per_s * 0.2

    wait_for(caught_up, seconds=seconds * 5, what="the end of the backlog")
    lasted = time.perf_counter() - begin
    step.answer()
    clock.relayed()
    return {"outage_s": seconds, "drained_s": lasted, "share": lasted / seconds}


# -- the whole product ---------------------------------------------------------------------------


def end_to_end(clock: Clockwork, count: int, *, bulk: int) -> dict[str, float]:
    """Send requests, `bulk` in a call, each call of another town, until the last has a receipt."""
    world = clock.world
    step = world.krz.begin("submit", **target(world), count=count, bulk=bulk).ready()
    begin = time.perf_counter()
    step.go().answer()
    return {"per_s": count / (clock.relayed() - begin)}


def whole(clock: Clockwork, count: int, *, bulk: int) -> dict[str, float]:
    """The same until each has been registered by the other side and the news is back."""
    begin = time.perf_counter()
    end_to_end(clock, count, bulk=bulk)
    clock.world.settled()
    return {"per_s": count / (time.perf_counter() - begin)}


def memory(world: World) -> dict[str, float]:
    """MiB of a whole centre, the fuller one, and of the larger gateway, after work was done."""
    found = {name: world.memory(name) for name in NAMES}
    return {
        "centre_mib": max(sum(each.values()) for each in found.values()),
        "gateway_mib": max(each["gateway"] for each in found.values()),
    }

"""What is measured: one function for each way in which the two centres are used.

Each returns plain figures. Those of a link alone are taken while workers and pages rest; those of
the whole product while everything runs.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from statistics import median, quantiles
from typing import Any

import psycopg

from benchmarks import resources
from benchmarks.world import NAMES, Centre, World, wait_for

#: What rests while a link is measured alone.
NEIGHBOURS = ("worker", "beat", "web")
_LATENCIES = """
SELECT extract(epoch FROM receipt.received_at - letter.accepted_at) * 1000 AS ms
  FROM outbox_letter AS letter CROSS JOIN LATERAL (
       SELECT received_at FROM outbox_receipt
        WHERE link = letter.link AND last_lseq >= letter.lseq ORDER BY last_lseq LIMIT 1) AS receipt
 WHERE letter.link = %s AND letter.accepted_at >= %s AND letter.lseq > 0
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
        self._connection = psycopg.connect(world.krz.url("owner"), autocommit=True)

    def now(self) -> datetime:
        row = self._connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        found: datetime = row[0]
        return found

    def relayed(self, *, link: str = "nord", seconds: float = 900) -> float:
        """Wait until all letters of a link have a receipt; return the moment."""
        (target,) = self._row("SELECT count(*) FROM outbox_letter WHERE link = %s", link)

        def look() -> bool:
            found = self._connection.execute(
                "SELECT acked_lseq FROM outbox_link WHERE name = %s", (link,)
            ).fetchone()
            return found is not None and found[0] >= target

        if target:
            wait_for(look, seconds=seconds, what=f"{target} receipts of {link}")
        return time.perf_counter()

    def _row(self, statement: str, *parameters: Any) -> tuple[Any, ...]:
        row = self._connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row

    def latencies(self, since: datetime, *, link: str = "nord") -> list[float]:
        """Milliseconds from each accepted letter to its stored receipt."""
        rows = self._connection.execute(_LATENCIES, (link, since)).fetchall()
        return [float(row[0]) for row in rows]

    @contextmanager
    def held(self, link: str = "nord") -> Iterator[None]:
        """Pause a link within the block, as an operator would."""
        self._state(link, "paused")
        try:
            yield
        finally:
            self._state(link, "active")

    def _state(self, link: str, state: str) -> None:
        self._connection.execute("UPDATE outbox_link SET state = %s WHERE name = %s", (state, link))
        self._connection.execute("SELECT pg_notify('amtsbruecke_dispatch', %s)", (link,))

    def cpu(self) -> float:
        """Seconds of processor that both centres have used so far."""
        return sum(sum(self.world.cpu(name).values()) for name in NAMES)


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
    world = clock.world
    with clock.held():
        world.krz.step("post", **target(world), count=count)
        before = clock.cpu()
    begin = time.perf_counter()
    seconds = clock.relayed() - begin
    return {"per_s": count / seconds, "cpu_us": (clock.cpu() - before) / count * 1e6}


def alone(clock: Clockwork, count: int, *, pace: float = 10) -> dict[str, float]:
    """One letter at a time on an idle link, from its commit to its stored receipt."""
    since = clock.now()
    world = clock.world
    world.krz.step("post", **target(world), count=count, bulk=1, pace=pace)
    clock.relayed()
    found = clock.latencies(since)
    return {"p50_ms": percentile(found, 0.5), "p99_ms": percentile(found, 0.99)}


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


_BURY = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at)
SELECT uuidv7(), %(role)s, %(link)s, %(recipient)s, gen_random_uuid(), 1, 'assistance_request',
       4096, %(envelope)s, sha256(%(envelope)s), now() + interval '14 days', now()
  FROM generate_series(1, %(count)s)
"""


def behind_a_dead_link(clock: Clockwork, count: int, *, link: str) -> dict[str, float]:
    """Put letters behind a peer that is gone; memory of dispatch and the rate of another link."""
    world = clock.world
    idle = resources.rss_mib(world.pids("krz")["dispatch"])
    empty = drain(clock, 4_000)
    role = world.krz.value("SELECT tenant_role FROM registry_municipality ORDER BY slug LIMIT 1")
    with psycopg.connect(world.krz.url("owner")) as connection:
        connection.execute(
            _BURY,
            {
                "role": role,
                "link": link,
                "recipient": world.nord.authorities[0],
                "envelope": bytes(4096),
                "count": count,
            },
        )
    with psycopg.connect(world.krz.url("owner"), autocommit=True) as connection:
        connection.execute("SELECT pg_notify('amtsbruecke_dispatch', %s)", (link,))
        connection.execute("ANALYZE outbox_letter")
    loaded = drain(clock, 4_000)
    return {
        "memory_ratio": resources.rss_mib(world.pids("krz")["dispatch"]) / idle,
        "rate_ratio": loaded["per_s"] / empty["per_s"],
        "count": count,
    }


def document(clock: Clockwork, size: int) -> dict[str, float]:
    """Send one document of so many bytes: the rate, and memory above idle while it travels."""
    world = clock.world
    watched = {
        f"{centre} {service}": world.pids(centre)[service]
        for centre, service in (("krz", "dispatch"), ("nord", "gateway"))
    }
    idle = {name: resources.rss_mib(pid) for name, pid in watched.items()}
    most = dict(idle)
    before = world.krz.letters("nord")
    world.krz.step("document", **target(world), size=size)
    begin = time.perf_counter()

    def arrived() -> bool:
        for name, pid in watched.items():
            most[name] = max(most[name], resources.rss_mib(pid))
        return world.krz.relayed("nord") > before

    wait_for(arrived, seconds=300, what="the document")
    return {
        "bytes_per_s": size / (time.perf_counter() - begin),
        "above_idle_mib": max(most[name] - idle[name] for name in watched),
    }


# -- the whole product ---------------------------------------------------------------------------


def whole(world: World, count: int, *, bulk: int) -> dict[str, float]:
    """Send requests until each has been registered by the other side and the news is back."""
    step = world.krz.begin("submit", **target(world), count=count, bulk=bulk).ready()
    begin = time.perf_counter()
    step.go().answer()
    world.settled()
    return {"per_s": count / (time.perf_counter() - begin)}


def memory(world: World) -> dict[str, float]:
    """MiB of a whole centre, the fuller one, and of the larger gateway, after work was done."""
    found = {name: world.memory(name) for name in NAMES}
    return {
        "centre_mib": max(sum(each.values()) for each in found.values()),
        "gateway_mib": max(each["gateway"] for each in found.values()),
    }


def idle(centre: Centre) -> bool:
    """Whether nothing waits."""
    return not centre.unprocessed()

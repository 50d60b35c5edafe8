"""The whole product with everything running: files of requests, lone requests of clerks.

Cases, audit entries and effects at the receiver are part of every figure here, and no process
rests.
"""

import time

from benchmarks.modes import Clockwork, percentile, target
from benchmarks.world import Step, World


def bring_in(clock: Clockwork, count: int, *, first: int) -> dict[str, float]:
    """Import a file of requests; until each is registered there and the news is back here."""
    world = clock.world
    step = _file(world, count, first).ready()
    begin = time.perf_counter()
    said = step.go().answer()
    delivered = clock.relayed() - begin
    world.settled()
    return {
        "accepted_per_s": count / said["seconds"],
        "delivered_per_s": count / delivered,
        "settled_per_s": count / (time.perf_counter() - begin),
        "check_per_s": count / said["check_seconds"],
    }


def backlog(clock: Clockwork, count: int, *, first: int) -> dict[str, float]:
    """Let a file pile up behind a paused link, then release it."""
    world = clock.world
    with clock.held():
        _file(world, count, first).answer()
    begin = time.perf_counter()
    delivered = clock.relayed() - begin
    world.settled()
    return {
        "delivered_per_s": count / delivered,
        "settled_per_s": count / (time.perf_counter() - begin),
    }


def _file(world: World, count: int, first: int) -> Step:
    return world.krz.begin(
        "bring_in", town=0, recipients=world.nord.authorities, count=count, first=first
    )


def clerks(clock: Clockwork, count: int, *, pace: float = 5) -> dict[str, float]:
    """Single requests as clerks send them: the time of the service, and until the receipt."""
    since = clock.now()
    step = clock.world.krz.begin("submit", **target(clock.world), count=count, bulk=1, pace=pace)
    said = step.ready().go().answer()
    clock.relayed()
    ways = clock.latencies(since)
    return {
        "accept_p50_ms": percentile(said["call_ms"], 0.5),
        "accept_p99_ms": percentile(said["call_ms"], 0.99),
        "delivered_p50_ms": percentile(ways, 0.5),
        "delivered_p99_ms": percentile(ways, 0.99),
    }

"""What many municipalities cost: the same work in centres with few and with many of them.

The smallest and the largest stand side by side and are measured in turns, because the clock of a
machine changes within seconds. In each, the clerk whose page is fetched has as many cases.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import modes, pages
from benchmarks.modes import Clockwork
from benchmarks.world import PORT_BASE, World

#: As the guide tells a centre with many municipalities: connections that know all of them.
_REMEMBERED = "AMTSBRUECKE_SCHEMAS_PER_CONNECTION"


def measure(
    folder: Path,
    *,
    sizes: tuple[int, ...],
    requests: int,
    cases: int,
    rounds: int,
    whole: bool,
    say: Callable[[str], None],
) -> dict[int, dict[str, float]]:
    """Return, for each number of municipalities, the rates and the time of a page.

    The worklist of the clerk whose page it is has so many `cases`. The rate of the whole product is
    0 unless `whole`.
    """
    found: dict[int, dict[str, float]] = {}
    first, *between, last = sizes
    for group, times in (((first, last), rounds), *(((towns,), 1) for towns in between)):
        found |= _side_by_side(
            folder, group, requests=requests, cases=cases, rounds=times, whole=whole, say=say
        )
    return found


def _side_by_side(
    folder: Path,
    sizes: tuple[int, ...],
    *,
    requests: int,
    cases: int,
    rounds: int,
    whole: bool,
    say: Callable[[str], None],
) -> dict[int, dict[str, float]]:
    rates: dict[int, list[float]] = {towns: [] for towns in sizes}
    wholes: dict[int, list[float]] = {towns: [] for towns in sizes}
    times: dict[int, list[float]] = {towns: [] for towns in sizes}
    with ExitStack() as stack:
        worlds: dict[int, Clockwork] = {}
        for place, towns in enumerate(sizes):
            world = World(
                folder / f"towns{towns}", tenants=towns, port_base=PORT_BASE + 200 + 100 * place
            )
            stack.enter_context(world)
            for centre in (world.krz, world.nord):
                centre.folder.write_settings({**centre.folder.settings(), _REMEMBERED: "1000"})
            world.start()
            worlds[towns] = Clockwork(world)
            say(f"two centres with {towns} towns each run")
            world.krz.step("submit", towns=[0], recipients=world.nord.authorities, count=cases)
            world.settled()
        for _ in range(rounds):
            for towns, clock in worlds.items():
                times[towns].append(pages.time_worklist(clock.world, times=40)["p50_ms"])
        for _ in range(rounds):
            for towns, clock in worlds.items():
                clock.world.pause(*modes.NEIGHBOURS)
                clock.world.checkpoint()
                rates[towns].append(modes.end_to_end(clock, requests, bulk=8)["per_s"])
                clock.world.resume()
                say(f"{towns} towns: {rates[towns][-1]:.4g} requests/s until the receipt")
                clock.world.settled()
        for _ in range(rounds if whole else 0):
            for towns, clock in worlds.items():
                wholes[towns].append(modes.whole(clock, requests, bulk=8)["per_s"])
                say(f"{towns} towns: {wholes[towns][-1]:.4g} requests/s through the whole product")
    first = sizes[0]
    return {
        towns: {
            "per_s": median(rates[towns]),
            "whole_per_s": median(wholes[towns] or [0.0]),
            "page_ms": median(times[towns]),
            # Against the smallest, round by round.
            "rate_share": _median_of_ratios(rates[towns], rates[first]),
            "page_share": _median_of_ratios(times[towns], times[first]),
        }
        for towns in sizes
    }


def _median_of_ratios(these: list[float], those: list[float]) -> float:
    return median(a / b for a, b in zip(these, those, strict=True))

"""The memory of each process over its life: what it owns alone, without pages that it shares.

A process is compared with itself only, so what counts is who lives long: long runs spare some.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.faults.plan import CENTRES, ENGINES, SPARED
from benchmarks.faults.world import World

#: Runs that were asked for so many letters spare some processes, and must be able to say something
#: about each of them. In shorter ones a spare dispatcher that takes over, and gets warm by 9 MB,
#: looks like one that grows, however many letters come of it.
LONG_RUN: Final = 20_000
#: So much may a process grow for each 10,000 letters of the run, once that makes a difference.
GROWTH_MB: Final = 3.0
SLACK_MB: Final = 8.0
_PER: Final = 10_000
_WARMING: Final = 1.25
#: Of its first samples a process is only getting warm.
_WARM: Final = 0.1
#: Below so many samples in a third, or so many letters between them, nothing can be said.
_ENOUGH: Final = 5
_ENOUGH_LETTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """A process in the first and the last third of its life, as medians, in MB."""

    name: str
    early: float
    late: float
    letters: float

    @property
    def growth(self) -> float:
        """MB for each 10,000 letters."""
        return (self.late - self.early) / self.letters * _PER

    @property
    def too_much(self) -> bool:
        return self.growth > GROWTH_MB and self.late - self.early > SLACK_MB

    @property
    def much_too_much(self) -> bool:
        """What no process gains by getting warm."""
        return self.late > self.early * _WARMING + 2 * SLACK_MB

    def __str__(self) -> str:
        return (
            f"own memory of {self.name}: {self.early:.0f} MB at first, {self.late:.0f} at last, "
            f"{self.growth:+.1f} for each 10,000 letters"
        )


@dataclass(slots=True)
class Memory:
    """Samples of each process by its name and pid: MB, with how many letters there were."""

    samples: dict[tuple[str, int], list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def sample(self, world: World, letters: int) -> None:
        """Look at every process that lives."""
        children = _families()
        for centre in CENTRES:
            for name, service in world.services(centre).items():
                if (pid := service.pid) is not None:
                    owned = sum(_own_mb(each) for each in _family(pid, children))
                    self.samples[f"{centre} {name}", pid].append((letters, owned))

    def compare(self) -> list[Change]:
        """Return how each process that lived long enough has changed."""
        found = (_change(name, samples) for (name, _), samples in self.samples.items())
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    def problems(self, *, asked: int) -> list[str]:
        """Return what has grown, and, after a long run, of what nothing can be said.

        `asked`: for so many letters the run was asked.
        Those that are not spared get warm after each death: a wider bound, as in a short run. Of
        engines there are notes: their connections fill caches then.
        """
        wanted = {f"{centre} {name}" for centre, name in SPARED}
        changes = [each for each in self.compare() if each.name.split()[1] not in ENGINES]
        spared = [each for each in changes if each.name in wanted]
        if asked < LONG_RUN:  # getting warm looks like growing
            return [f"{each}: it grows" for each in spared if each.much_too_much]
        found = [
            f"{each}: it grows"
            for each in changes
            if (each.too_much if each.name in wanted else each.much_too_much)
        ]
        compared = {each.name for each in spared}
        return found + [f"nothing can be said of {name}" for name in sorted(wanted - compared)]

    def notes(self) -> list[str]:
        """Return what can be said."""
        return [str(each) for each in self.compare()] or [
            "own memory: no process lived long enough to compare it with itself"
        ]


def _change(name: str, samples: Sequence[tuple[int, float]]) -> Change | None:
    warm = samples[int(len(samples) * _WARM) :]
    third = len(warm) // 3
    if third < _ENOUGH:
        return None
    (before, early), (after, late) = map(_median, (warm[:third], warm[-third:]))
    if after - before < _ENOUGH_LETTERS:
        return None
    return Change(name, early, late, after - before)


def _median(samples: Sequence[tuple[int, float]]) -> tuple[float, float]:
    letters, owned = zip(*samples, strict=True)
    return statistics.median(letters), statistics.median(owned)


def _families() -> dict[int, list[int]]:
    """Return the children of every process; one look for all, since it is taken under load."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(entry.name))
    return children


def _family(pid: int, children: Mapping[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _family(child, children)


def _own_mb(pid: int) -> float:
    """Return the anonymous memory of a process in MB; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0

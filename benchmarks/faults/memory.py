"""The memory of each process over the run: what it owns alone, without pages that it shares."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import World

#: So much may the median of a process's last third lie above that of its first third.
GROWTH: Final = 1.25
SLACK_MB: Final = 16.0
_THIRD: Final = 1 / 3
#: Below so many samples in a third nothing can be said.
_ENOUGH: Final = 5


@dataclass(slots=True)
class Memory:
    """Samples of each process, in MB, with how far the run was."""

    samples: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def sample(self, world: World, progress: float) -> None:
        """Look at every process that lives."""
        children = _families()
        for centre in CENTRES:
            for name, service in world.services(centre).items():
                if service.pid is not None:
                    owned = sum(_own_mb(pid) for pid in _family(service.pid, children))
                    self.samples[f"{centre} {name}"].append((progress, owned))

    def compare(self) -> Mapping[str, tuple[float, float]]:
        """Return the medians of the first and the last third by process."""
        found = {}
        for name, samples in self.samples.items():
            early = [mb for at, mb in samples if at <= _THIRD]
            late = [mb for at, mb in samples if at >= 1 - _THIRD]
            if min(len(early), len(late)) >= _ENOUGH:
                found[name] = (statistics.median(early), statistics.median(late))
        return found

    def growing(self) -> list[str]:
        """Return what has grown beyond the bound, in words."""
        return [
            f"{name} grew from {early:.0f} to {late:.0f} MB"
            for name, (early, late) in self.compare().items()
            if late > early * GROWTH + SLACK_MB
        ]


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

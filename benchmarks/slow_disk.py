"""The batched link while every fsync of both databases takes 2 ms longer."""

from pathlib import Path
from statistics import median

import psycopg

from benchmarks import modes
from benchmarks.faults import commits, shim
from benchmarks.modes import Clockwork
from benchmarks.world import NAMES, BenchmarkError, World
from console.errors import ConsoleError


def measure(folder: Path, *, letters: int, rounds: int) -> dict[str, float] | str:
    """Return the ratio of both rates, in turns; words if this machine has no compiler."""
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    try:
        library = shim.build(folder)
    except ConsoleError as error:
        return f"G9 is not measured: {error}"
    disk = shim.Surroundings(folder / "surroundings")
    states = ",".join(f"{name}={disk.file}" for name in NAMES)
    program = ("benchmarks.faults.supervised", str(library), states)
    with World(folder / "world", program=program) as world:
        world.start()
        clockwork = Clockwork(world)
        world.pause(*modes.NEIGHBOURS)
        modes.live(clockwork, letters // 4)
        longer = commits_longer_ms(world, disk)
        fast, slow = [], []
        for _ in range(rounds):
            fast.append(modes.live(clockwork, letters)["per_s"])
            disk.slow_disk(milliseconds=2)
            slow.append(modes.live(clockwork, letters)["per_s"])
            disk.slow_disk(milliseconds=0)
    return {
        "ratio": median(b / a for a, b in zip(fast, slow, strict=True)),
        "fast_per_s": median(fast),
        "slow_per_s": median(slow),
        "commit_longer_ms": longer,
    }


def commits_longer_ms(world: World, disk: shim.Surroundings) -> float:
    """Return by how much a commit is longer at the centre where it is less; raise if hardly."""
    found = []
    for centre in world.centres.values():
        with psycopg.connect(centre.url("owner"), autocommit=True) as connection:
            found.append(commits.longer_ms(connection, disk))
    if min(found) < commits.LONGER_MS:
        raise BenchmarkError(f"the slow disk makes a commit longer by {min(found):.2f} ms only")
    return min(found)

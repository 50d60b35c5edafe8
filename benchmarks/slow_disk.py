"""The batched link while every fsync of both databases takes 2 ms longer."""

from pathlib import Path
from statistics import median

from benchmarks import modes
from benchmarks.faults import shim
from benchmarks.modes import Clockwork
from benchmarks.world import World
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
    preload = {"LD_PRELOAD": str(library), "FAULTS_STATE": str(disk.file), "FAULTS_DISK": "1"}
    with World(folder / "world", environment=preload) as world:
        world.start()
        clockwork = Clockwork(world)
        world.pause(*modes.NEIGHBOURS)
        modes.live(clockwork, letters // 4)
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
    }

"""How much memory a misuse costs. Both ends of the wire are in the test's own process."""

import gc
from pathlib import Path
from typing import Self


class Memory:
    """Measures the highest resident size within the block against that before it."""

    def __enter__(self) -> Self:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        self._before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self._peak = _status("VmHWM")

    def grown(self) -> float:
        """Return by how many MiB."""
        return (self._peak - self._before) / 1024


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise LookupError(key)

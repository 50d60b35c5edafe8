"""What processes use, from /proc: a process with all its descendants."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and its descendants that are alive."""
    found, queue = [], [pid]
    while queue:
        each = queue.pop()
        if not Path(f"/proc/{each}").exists():
            continue
        found.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                queue += map(int, task.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of processor of a process and its descendants, also of those that have ended."""
    return sum(map(_ticks, family(pid))) / _TICK


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))  # user, system, and both of children that were waited for


def pss_mib(pid: int) -> float:
    """MiB in memory: what is private, and a fair share of what is shared."""
    return sum(_pss_kib(each) for each in family(pid)) / 1024


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def rss_mib(pid: int) -> float:
    """MiB of one process in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

"""By how much a slow disk makes a durable commit longer: a shim that does nothing must not pass."""

import time
from typing import Any, Final

import psycopg

from benchmarks.faults.shim import Surroundings

#: What a disk that is slower by 2 ms must add at least.
LONGER_MS: Final = 1.5
_PAIRS: Final = 100
#: Durable without a table: it writes to the log and takes a number, so its commit is flushed.
_COMMIT: Final = "SELECT pg_logical_emit_message(true, 'benchmarks', 'a durable commit')"


def longer_ms(
    connection: psycopg.Connection[Any], disk: Surroundings, *, milliseconds: float = 2
) -> float:
    """Return by how many milliseconds a commit is longer with the delay; ends without it.

    The shortest ones are compared, taken in turns. With the delay none can be shorter than it, and
    without, one in a hundred is quick however busy the machine is. (With medians, noise at a load
    of 9 passed for the delay.)
    """

    def once(delay: float) -> float:
        disk.slow_disk(milliseconds=delay)
        begin = time.perf_counter()
        connection.execute(_COMMIT)
        return (time.perf_counter() - begin) * 1000

    try:
        pairs = [(once(milliseconds), once(0)) for _ in range(_PAIRS)]
    finally:
        disk.slow_disk(milliseconds=0)
    return min(slow for slow, _ in pairs) - min(quick for _, quick in pairs)

"""How long a link waits after a failure: doubled each time, with full jitter, up to five minutes.

Full jitter keeps many centres from knocking at the same moment when a peer comes back. There is no
limit of attempts: only a letter's own expiry ends it. Any contact from the peer sets it to zero.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

FIRST_MS: Final = 1_000
LONGEST_MS: Final = 300_000
_SHORTEST_MS: Final = 100


def next_ceiling_ms(ceiling_ms: int) -> int:
    """Return the ceiling after one more failure; 0 is the ceiling of a link that works."""
    return min(LONGEST_MS, max(FIRST_MS, ceiling_ms * 2))


def delay(
    ceiling_ms: int, *, uniform: Callable[[float, float], float] = random.uniform
) -> timedelta:
    """Return the time to wait under this ceiling."""
    return timedelta(milliseconds=max(_SHORTEST_MS, uniform(0, ceiling_ms)))

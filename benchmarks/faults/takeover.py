"""How long the links of a dead dispatcher have nobody, and whether that is too long."""

import time
from collections.abc import Callable, Collection
from typing import Final

import psycopg

#: A lease ends 5 s after its last renewal; then whoever lives takes the link.
LONGEST_S: Final = 10.0
#: If the centre is not able to do it for so long, the measure is given up.
_PATIENCE_S: Final = 180.0
_TICK_S: Final = 0.1


class TooLate(Exception):
    """Nobody took the links of a dead dispatcher, though somebody could have."""


def measure(
    held: Callable[[], Collection[str]],
    able: Callable[[], bool],
    *,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> float | None:
    """Return the seconds until `held` names no link any more; None if it never named one.

    Only time counts in which the centre was able to do it: a database that is away or full, or a
    dispatcher that is away too, sets the clock to zero. `held` asks the database and may raise its
    error. Raises `TooLate`.
    """
    begin = able_since = now()
    asked = False
    while True:
        try:
            left = held()
        except psycopg.OperationalError:
            left, able_since = None, now()
        else:
            if not left:
                return now() - able_since if asked else None
            asked = True
        if not able():
            able_since = now()
        if now() - able_since > LONGEST_S:
            raise TooLate(f"{sorted(left or ())} have nobody after {LONGEST_S:.0f} s")
        if now() - begin > _PATIENCE_S:
            raise TooLate(f"no database and dispatcher within {_PATIENCE_S:.0f} s")
        wait(_TICK_S)

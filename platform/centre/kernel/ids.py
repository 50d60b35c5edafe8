"""Identifiers: UUID version 7 (RFC 9562), ordered by time, so that indexes stay warm."""

import os
import threading
import time
from uuid import UUID

_SUB_MS_BITS = 12
_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """Return a new UUIDv7 that is greater than every earlier one of this process.

    Layout (RFC 9562, 5.7 and 6.2 method 3): 48 bits of Unix milliseconds, 12 bits of the
    fraction of a millisecond, 62 random bits. A clock that stands still or goes back is bridged by
    counting on from the last value.
    """
    global _last  # noqa: PLW0603 -- the one piece of state that makes the order strict
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    stamp = (milliseconds << _SUB_MS_BITS) | (rest * (1 << _SUB_MS_BITS) // 1_000_000)
    with _lock:
        stamp = max(stamp, _last + 1)
        _last = stamp
    random_bits = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (stamp >> _SUB_MS_BITS) << 80
    value |= 0x7 << 76
    value |= (stamp & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random_bits
    return UUID(int=value)


def id_time_ms(identifier: UUID) -> int:
    """Return the Unix time in milliseconds that a UUIDv7 carries; raise ValueError for others."""
    if identifier.version != 7:  # noqa: PLR2004 -- the version number of RFC 9562
        message = f"{identifier} is no UUID of version 7"
        raise ValueError(message)
    return identifier.int >> 80

"""How much of the gateway one peer may use at a time."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` calls a second in the long run, `burst` at once."""

    rate: float
    burst: float
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def wait(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        elapsed, self._filled_at = now - self._filled_at, now
        self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate


class Guard:
    """Counts a peer's calls of one kind and refuses those that are too many or too fast."""

    def __init__(
        self,
        *,
        at_once: int,
        rate: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = defaultdict(lambda: Bucket(rate, burst))

    @contextmanager
    def call(self, centre: str) -> Iterator[None]:
        """Count a call for as long as it runs; raise `CallRefused` if it is one too many.

        Only centres that the directory knows come here, so the tables stay small.
        """
        if delay := self._buckets[centre].wait(self._clock()):
            raise CallRefused(Reason.RATE_EXCEEDED, "Too many calls.", retry_delay=delay)
        if self._running[centre] >= self._at_once:
            raise CallRefused(Reason.TOO_MANY_STREAMS, "Too many calls at once.", retry_delay=1.0)
        self._running[centre] += 1
        try:
            yield
        finally:
            self._running[centre] -= 1

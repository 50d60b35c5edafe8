"""When a link looks for letters. Pure: the caller brings the time.

- Nothing under way: look at once, so that a lone letter does not wait.
- Letters under way and the last look found less than a full frame: linger a few milliseconds. The
  linger, not the limit, makes the batch. Behind a lone letter it ends with the receipt: who waited
  for that may post the next letter, and its poke may be suppressed.
- Nothing found: look again soon, then less and less often, then rest. A poke ends the rest. Senders
  suppress pokes that would follow another within 20 ms, so the looks after a poke must not end
  before that time is over. For pokes that were lost, the radar looks for all resting links at once.
"""

from dataclasses import dataclass, field
from typing import Final

from federation.protocol.limits import LINGER

_LINGER: Final = LINGER.total_seconds()
#: Waits between looks that find nothing.
_EASE: Final = (0.003, 0.006, 0.012, 0.025, 0.050)


@dataclass(slots=True)
class Pace:
    """Decides how long to wait before the next look."""

    linger: float = _LINGER
    _empty: int = field(default=0)
    _found: int = field(default=0)

    def poked(self) -> None:
        """Note that there is news: keep looking closely for a while."""
        self._empty = 0

    def looked(self, *, found: int) -> None:
        """Note what a look found."""
        self._empty = 0 if found else self._empty + 1
        self._found = found

    @property
    def lingers(self) -> bool:
        """Whether the wait lets a batch grow: then nothing should cut it short."""
        return self._empty == 0

    @property
    def until_receipt(self) -> bool:
        """Whether such a wait ends as soon as nothing is under way any more."""
        return self._found <= 1

    def wait(self, *, under_way: bool, full: bool) -> float | None:
        """Return the seconds to wait, None for a rest; `full`: the last look found a frame."""
        if self._empty == 0:
            return self.linger if under_way and not full else 0.0
        return _EASE[self._empty - 1] if self._empty <= len(_EASE) else None

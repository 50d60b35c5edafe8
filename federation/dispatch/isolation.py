"""The search for a letter that kills calls. Pure.

A frame is suspected when a call ends in a fault that is not the network's while the frame waited
for its receipt as the first. Three such ends, and the frame is sent in halves; what passes is
cleared, what kills is halved again, until one letter stands alone. When that has killed three calls
in all, it is parked: out of the queue, visible, with everything behind it moving on.

A cut connection proves little: cables break too. It counts as a fault only for the halving, which
costs nothing, and a lone letter must have been there for many cuts before it is parked.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

KILLS_TO_SUSPECT = 3
KILLS_TO_PARK = 3
CUTS_TO_PARK = 12
_MOST_KILLS = 10_000


class Ending(StrEnum):
    """How a call ended while a frame was under way."""

    #: The peer answered with an error that the frame may have caused.
    KILLED = "killed"
    #: The connection broke; anything may have caused it.
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is kept with the link. The default suspects nothing."""

    #: The last position of the suspected range; it begins after the acknowledged position.
    last: int = 0
    #: Calls that the range, or a range that it came from, has ended.
    kills: int = 0
    #: At most so many letters in a frame that begins in the range; 0: no limit.
    frame_limit: int = 0

    def covers(self, first: int) -> bool:
        """Return whether a frame that begins at `first` is suspected: it then travels alone.

        With another frame behind it, nobody could tell which of the two has ended the call.
        """
        return self.kills > 0 and first <= self.last

    def limit(self, first: int) -> int:
        """Return how many letters a frame that begins at `first` may hold; 0 for no limit."""
        if not self.frame_limit or not self.covers(first):
            return 0
        return min(self.frame_limit, self.last - first + 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the end of a call."""

    suspicion: Suspicion
    #: The position of the letter that is to be parked.
    park: int | None = None


def ended(suspicion: Suspicion, *, first: int, last: int, ending: Ending) -> Verdict:
    """Judge the end of a call whose first frame without receipt was `first` to `last`."""
    same = suspicion.covers(first)
    kills = min(suspicion.kills + 1, _MOST_KILLS) if same else 1
    alone = first == last
    if alone and kills >= (KILLS_TO_PARK if ending is Ending.KILLED else CUTS_TO_PARK):
        return Verdict(Suspicion(), park=first)
    if alone:
        return Verdict(Suspicion(last, kills, 1))
    if kills < KILLS_TO_SUSPECT:
        return Verdict(Suspicion(last, kills, suspicion.frame_limit if same else 0))
    return Verdict(Suspicion(last, kills, (last - first + 1) // 2))


def acknowledged(suspicion: Suspicion, acked: int) -> Suspicion:
    """Clear what a receipt covers: all of the range, or its part up to `acked`."""
    if acked >= suspicion.last:
        return Suspicion()
    if suspicion.frame_limit:
        rest = suspicion.last - acked
        return replace(suspicion, frame_limit=min(suspicion.frame_limit, max(rest // 2, 1)))
    return suspicion

"""How a link's queue is looked at: all of it now and then, in between only where letters come.

A letter that got its number leaves the queue at once, its entry in the queue's index only when the
table is vacuumed, and while anybody's older transaction lives (a back-up, statistics being taken)
no look can pass over such entries quickly. A full look then grows with all that was sent since: 66
ms instead of 3 were seen. A short look begins behind each tenant's last numbered letter and meets
none of them, but misses what got an older id (sent anew, held until now, an import that committed
late) and tenants that it does not know. So full looks go on where they are dear, too: they take a
twentieth of the time, or one comes each second.
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

from federation.dispatch import sql
from federation.dispatch.sql import Connection, Lease, Numbered

#: A full look that took longer is dear. A short one costs something for each tenant that is known.
_DEAR_S: Final = 0.01
#: A dear look is followed by short ones for so many times as long as it took, but not longer.
_SHORT_LOOKS: Final = 19
_SHORT_LOOKS_S: Final = 1.0


@dataclass(slots=True)
class Queue:
    """The queue of one link, as its owner sees it during a session."""

    lease: Lease
    _last: dict[str, UUID] = field(default_factory=dict)
    _served: str = ""
    _full_look_at: float = 0.0

    async def number(self, connection: Connection, *, most: int, bytes_: int) -> Numbered:
        """Number up to `most` waiting letters of at most `bytes_` together, fairly over tenants."""
        begun = monotonic()
        full = begun >= self._full_look_at
        found = await sql.number(
            connection,
            self.lease,
            most=most,
            bytes_=bytes_,
            served=self._served,
            after=None if full else self._last,
        )
        if full and (took := monotonic() - begun) > _DEAR_S:
            self._full_look_at = begun + took + min(_SHORT_LOOKS * took, _SHORT_LOOKS_S)
        if found.last:
            self._last |= found.last
            self._served = next(reversed(found.last))
        return found

"""What a peer lets us send, and how letters are cut into frames. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from federation.protocol.limits import BATCH_BYTES, BATCH_ITEMS, CREDIT_BYTES, CREDIT_MESSAGES
from federation.protocol.receipts import Sent

_NOTHING: Final = Sent(UUID(int=0), sha256(b"").digest())


@dataclass(frozen=True, slots=True)
class Item:
    """A position of the link and what goes there."""

    lseq: int
    sent: Sent
    size: int

    @property
    def void(self) -> bool:
        """Whether no letter goes here: it was taken out after it had been numbered."""
        return self.sent is _NOTHING


def void(lseq: int) -> Item:
    """Return the item of a position without a letter: it travels as zero bytes."""
    return Item(lseq, _NOTHING, 0)


def without_gaps(items: Mapping[int, Item], *, first: int, last: int) -> list[Item]:
    """Return the items from `first` to `last`, with a void one for each position that has none."""
    return [items.get(lseq) or void(lseq) for lseq in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the frames of a stream may be: ours and the peer's, whichever is less."""

    items: int = BATCH_ITEMS
    bytes: int = BATCH_BYTES

    def narrowed(self, *, items: int, bytes_: int) -> "Limits":
        """Return limits that also keep to the peer's."""
        return Limits(min(self.items, items), min(self.bytes, bytes_))


class Credit:
    """The letters and bytes that we may still send: what the peer grants, and no more than we bear.

    A peer that grants without end and never sends a receipt must not fill our memory.
    """

    def __init__(self, flight: "Flight") -> None:
        self._flight = flight
        self._messages = 0
        self._bytes = 0

    def add(self, messages: int, bytes_: int) -> None:
        self._messages += messages
        self._bytes += bytes_

    def spend(self, messages: int, bytes_: int) -> None:
        self._messages -= messages
        self._bytes -= bytes_

    @property
    def messages(self) -> int:
        return max(min(self._messages, CREDIT_MESSAGES - len(self._flight)), 0)

    @property
    def bytes(self) -> int:
        return max(min(self._bytes, CREDIT_BYTES - self._flight.bytes), 0)

    @property
    def usable(self) -> bool:
        return self.messages > 0 and self.bytes > 0


def cut(items: Sequence[Item], *, credit: Credit, limits: Limits, at_most: int = 0) -> int:
    """Return how many of `items` the next frame takes; 0 if the credit does not allow one.

    `at_most` limits the count further (the search for a poisonous letter); 0 for no further limit.
    A letter that is larger than a frame's bytes goes alone, if the credit covers it.
    """
    most = min(limits.items, credit.messages, at_most or limits.items)
    room = min(limits.bytes, credit.bytes)
    count = used = 0
    for item in items[:most]:
        if used + item.size > room and (count or item.size > credit.bytes):
            break
        used += item.size
        count += 1
    return count


class Flight:
    """Items that wait for a receipt, oldest first, and where the frames among them end."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._ends: deque[int] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and last position under way."""
        return (self._items[0].lseq, self._items[-1].lseq) if self._items else None

    @property
    def head(self) -> tuple[int, int] | None:
        """The first and last position of the oldest frame, as far as it has no receipt."""
        return (self._items[0].lseq, self._ends[0]) if self._items else None

    def add(self, items: Sequence[Item]) -> None:
        """Add a frame."""
        self._items += items
        self._ends.append(items[-1].lseq)
        self.bytes += sum(item.size for item in items)

    def peek(self, count: int) -> list[Item]:
        """Return the oldest `count` items, or fewer if there are no more."""
        return [self._items[index] for index in range(min(count, len(self._items)))]

    def land(self, count: int) -> None:
        """Take the oldest `count` items off."""
        for _ in range(count):
            self.bytes -= self._items.popleft().size
        while self._ends and (not self._items or self._ends[0] < self._items[0].lseq):
            self._ends.popleft()

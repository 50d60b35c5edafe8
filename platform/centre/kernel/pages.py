"""Long lists, a part at a time. Pure.

A part is found by the mark of its last row and not by counting, so each costs the same, and nothing
is shown twice or passed over when rows come in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows of a list."""

    rows: tuple[T, ...]
    #: What asks for the rows after these; None: there are none.
    next: str | None

    @classmethod
    def cut(cls, found: Sequence[T], limit: int, mark: Callable[[T], str]) -> Self:
        """Return the first `limit` rows of what was found with a query for one row more."""
        rows = tuple(found[:limit])
        return cls(rows, mark(rows[-1]) if len(found) > limit else None)

    def turned(self) -> Self:
        """Return the same rows, the last one first."""
        return type(self)(self.rows[::-1], self.next)

"""What somebody types who searches. Pure."""

from typing import Final

#: More would make a query dear, and narrows nothing.
_WORDS: Final = 8


def words(search: str) -> list[str]:
    """Return the words of a search, as many as count; PostgreSQL knows no zero byte."""
    return search.replace("\0", "").split()[:_WORDS]

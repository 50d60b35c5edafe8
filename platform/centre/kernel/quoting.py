"""What a sentence repeats of a text that is wrong. Pure."""

from typing import Final

_QUOTED: Final = 40


def quoted(text: str) -> str:
    """Return a text as a sentence about it repeats it: no longer than a line can bear."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"

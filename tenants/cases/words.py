"""German sentences that remember what they were made of, so that others can be said. Pure.

`Words("Es fehlt %(what)s.", what=…)` is the German text wherever a text is wanted; the pages look
up the template in their catalogue and fill it in again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self


class Words(str):
    """A sentence, its template and its values. A value that is `Words` is translated too."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        words = super().__new__(cls, template % values if values else template)
        words.template, words.values = template, values
        return words

    def kept(self) -> dict[str, object]:
        """Return what JSON can hold and `of` makes the same words of."""
        values = {
            name: value.kept() if isinstance(value, Words) else str(value)
            for name, value in self.values.items()
        }
        return {"template": self.template, "values": values}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Return the words that `kept` was made of."""
        values = {
            name: cls.of(value) if isinstance(value, Mapping) else value
            for name, value in kept["values"].items()
        }
        return cls(kept["template"], **values)

    def said(self, translate: Callable[[str], str]) -> str:
        """Return the sentence in another language."""
        template = translate(self.template) if self.template else ""
        if not self.values:
            return template
        return template % {
            name: value.said(translate) if isinstance(value, Words) else value
            for name, value in self.values.items()
        }


class Unreadable(ValueError):
    """A text that cannot be read as what it should be: what is wrong with it, and what to do."""

    def __init__(self, text: Words, hint: Words) -> None:
        super().__init__(text)
        self.text, self.hint = text, hint

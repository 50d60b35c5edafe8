"""The lines of a timeline taken apart: what the system wrote can be said in another language.

They are kept as German text. What people wrote begins after the system's lines and stays as it
is, even where it reads like one of them. Pure.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tenants.cases import codes, lifecycle
from tenants.cases.graph import Kind, Verb
from tenants.cases.words import Words

_OVERTAKEN: Final = re.compile(r"(?P<label>.*) \(überholt, ändert den Stand nicht\)")
_SUMS: Final = re.compile(r"Eingezogen: (?P<collected>\S+ €), Kosten: (?P<costs>\S+ €)")
CORRECTED: Final = Words(
    "Das Ersuchen wurde berichtigt und ersetzt das frühere. Prüfen Sie, was sich ändert."
)
RESENT: Final = Words("Nachricht erneut gesendet")
LOST: Final = Words("Eine Nachricht konnte nicht zugestellt werden")
#: By verb or kind: from which list its first line is.
_FIRST_LINES: Final[Mapping[str, codes.Codes]] = MappingProxyType({
    Verb.REFUSE: codes.REFUSAL_REASONS,
    Kind.REFUSAL: codes.REFUSAL_REASONS,
    Verb.ASK: codes.QUERY_TOPICS,
    Kind.QUERY: codes.QUERY_TOPICS,
    Verb.COMPLETE: codes.COMPLETION_RESULTS,
    Kind.COMPLETION: codes.COMPLETION_RESULTS,
    Verb.WITHDRAW: codes.WITHDRAWAL_REASONS,
    Kind.WITHDRAWAL: codes.WITHDRAWAL_REASONS,
    Kind.ASSISTANCE_REQUEST: {"corrected": CORRECTED},
})  # fmt: skip
_WITH_SUMS: Final = frozenset(
    {
        Verb.COMPLETE,
        Kind.COMPLETION,
        Verb.CONFIRM_WITHDRAWAL,
        Kind.WITHDRAWAL_CONFIRMATION,
    }
)
#: The text of these is the system's alone.
_REPORTS: Final = frozenset({Verb.FAIL, "note"})


def sums(collected: str, costs: str) -> Words:
    """Return the sums of a report as a line."""
    return Words("Eingezogen: %(collected)s, Kosten: %(costs)s", collected=collected, costs=costs)


def overtaken_label(label: str) -> Words:
    """Return what a message tells that came too late to change anything."""
    return Words("%(label)s (überholt, ändert den Stand nicht)", label=Words(label))


def label(what: str, label: str) -> Words:
    """Return what a line tells, in words that can be said in another language."""
    if done := lifecycle.done(what):
        return Words(done)
    if found := _OVERTAKEN.fullmatch(label):
        return overtaken_label(found["label"])
    return Words(label)


def text(what: str, text: str) -> Words:
    """Return what is said about it; only the system's part can be said in another language."""
    if what in _REPORTS:
        return Words(text)
    lines = text.split("\n")
    parts: list[str] = []
    if lines[0] in _FIRST_LINES.get(what, {}).values():
        parts.append(Words(lines.pop(0)))
    if what in _WITH_SUMS and lines and (found := _SUMS.fullmatch(lines[0])):
        parts.append(sums(**found.groupdict()))
        del lines[0]
    named = {f"line{number}": part for number, part in enumerate([*parts, *lines])}
    return Words("\n".join(f"%({name})s" for name in named), **named)

"""Days as people here write them. Pure."""

import re
from datetime import date
from typing import Final

from centre.kernel.quoting import quoted
from tenants.cases.words import Unreadable, Words

#: How a file writes a day: nothing is left to be guessed.
WRITTEN: Final = (re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})"),)
#: How people type one as well.
TYPED: Final = (
    *WRITTEN,
    re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{2})"),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"),
    re.compile(r"(?P<day>[0-9]{2})(?P<month>[0-9]{2})(?P<year>[0-9]{4})"),
)
#: 68 is 2068 and 69 is 1969, as POSIX has it.
_PIVOT: Final = 69
_CENTURY: Final = 100


class NotDay(Unreadable):
    """A text that is no day, or one that no calendar has."""


def parse_day(text: str, forms: tuple[re.Pattern[str], ...] = WRITTEN) -> date:
    """Return the day that a text names in one of the forms. Raises `NotDay`."""
    match = next((found for form in forms if (found := form.fullmatch(text))), None)
    if match is None:
        raise NotDay(
            Words("„%(value)s“ ist kein Tag.", value=quoted(text)),
            Words("Schreiben Sie den Tag als TT.MM.JJJJ, etwa 01.03.2026."),
        )
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    if len(match["year"]) == 2:  # noqa: PLR2004 -- digits
        year += 19 * _CENTURY if year >= _PIVOT else 20 * _CENTURY
    try:
        return date(year, month, day)
    except ValueError as error:
        raise NotDay(
            Words("Den Tag „%(value)s“ gibt es nicht.", value=text),
            Words("Prüfen Sie Tag, Monat und Jahr im Kalender."),
        ) from error

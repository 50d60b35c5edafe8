"""By when a state should end: one table. Pure.

Working days leave out weekends and the holidays of all Länder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from centre.kernel.clock import BERLIN
from tenants.cases.graph import Side, State

_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit, in working days or in calendar days, with what is due in German."""

    amount: int
    label: str
    working_days: bool


def _days(amount: int, label: str) -> Deadline:
    return Deadline(amount, working_days=False, label=label)


def _working_days(amount: int, label: str) -> Deadline:
    return Deadline(amount, working_days=True, label=label)


_R, _E = Side.REQUESTING, Side.REQUESTED

DEADLINES: Final[Mapping[tuple[Side, State], Deadline]] = MappingProxyType({
    (_R, State.SUBMITTED): _days(3, "Zustellung"),
    (_R, State.UNDELIVERABLE): _working_days(1, "Berichtigen oder aufgeben"),
    (_R, State.DELIVERED): _working_days(1, "Eingangsbestätigung"),
    (_R, State.REGISTERED): _working_days(10, "Annahme oder Rückfrage der ersuchten Behörde"),
    (_E, State.REGISTERED): _working_days(10, "Annahme oder Rückfrage"),
    (_R, State.QUERIED): _days(14, "Antwort auf die Rückfrage"),
    (_E, State.QUERIED): _days(30, "Erinnerung an die Rückfrage"),
    (_R, State.ACCEPTED_QUERIED): _days(14, "Antwort auf die Rückfrage"),
    (_E, State.ACCEPTED_QUERIED): _days(30, "Erinnerung an die Rückfrage"),
    (_E, State.ACCEPTED): _days(90, "Erledigung oder Sachstand"),
    (_R, State.ACCEPTED): _days(90, "Nachfrage nach dem Sachstand"),
    (_E, State.WITHDRAWING): _working_days(5, "Bestätigung der Rücknahme"),
    (_R, State.WITHDRAWING): _working_days(5, "Bestätigung der Rücknahme"),
    (_R, State.REFUSED): _days(30, "Abschluss"),
    (_R, State.COMPLETED): _days(30, "Abschluss"),
    (_R, State.WITHDRAWN): _days(30, "Abschluss"),
})  # fmt: skip


def due_at(side: Side, state: State, *, since: datetime) -> datetime | None:
    """Return when a state that began at `since` is overdue, or None."""
    deadline = DEADLINES.get((side, state))
    if deadline is None:
        return None
    if not deadline.working_days:
        return since + timedelta(days=deadline.amount)
    return _end_of_working_days(since.astimezone(BERLIN).date(), deadline.amount)


@lru_cache(maxsize=64)
def _end_of_working_days(day: date, amount: int) -> datetime:
    """Return the end of the working day that lies `amount` of them after a day."""
    for _ in range(amount):
        day += timedelta(days=1)
        while not is_working_day(day):
            day += timedelta(days=1)
    return datetime.combine(day, time(23, 59, 59), tzinfo=BERLIN).astimezone(UTC)


def is_working_day(day: date) -> bool:
    """Return whether offices are open in at least one Land that day."""
    return day.weekday() < _SATURDAY and day not in _holidays(day.year)


@cache
def _holidays(year: int) -> frozenset[date]:
    easter = _easter(year)
    movable = (easter + timedelta(days=days) for days in (-2, 1, 39, 50))
    fixed = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
    return frozenset((*movable, *(date(year, month, day) for month, day in fixed)))


def _easter(year: int) -> date:
    """Return Easter Sunday by Gauss's rule in Lichtenberg's form."""
    k = year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    s = 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + s) % 7
    return date(year, 3, 1) + timedelta(days=og + (7 - (og - sz) % 7) - 1)

"""Somebody must take the links of a dead dispatcher within seconds in which somebody can."""

from collections.abc import Callable
from itertools import chain, repeat

import psycopg
import pytest

from benchmarks.faults.takeover import LONGEST_S, TooLate, measure


class Time:
    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def wait(self, _: float) -> None:
        self.at += 1


def run(answers: list[set[str] | None], able: Callable[[Time], bool] = lambda _: True) -> object:
    """Let the database give these answers, one a second (None: it is away), the last for ever."""
    said, time = chain(answers, repeat(answers[-1])), Time()

    def held() -> set[str]:
        if (answer := next(said)) is None:
            raise psycopg.OperationalError
        return answer

    return measure(held, lambda: able(time), now=time.now, wait=time.wait)


HELD = {"nord"}


def test_the_time_until_the_link_has_a_new_owner() -> None:
    assert run([HELD, HELD, HELD, set()]) == 3
    assert run([set()]) is None


def test_a_link_that_nobody_takes_is_a_problem() -> None:
    with pytest.raises(TooLate, match="nord"):
        run([HELD])


def test_seconds_without_a_database_do_not_count() -> None:
    assert run([HELD, *[None] * 40, HELD, set()]) == 2
    with pytest.raises(TooLate, match="nord"):
        run([*[None] * 40, HELD])


def test_seconds_without_another_dispatcher_do_not_count() -> None:
    def after_a_minute(time: Time) -> bool:
        return time.at > 1_060

    assert run([*[HELD] * 65, set()], after_a_minute) == pytest.approx(5, abs=1)
    with pytest.raises(TooLate, match=f"{LONGEST_S:.0f} s"):
        run([HELD], after_a_minute)


def test_a_centre_that_never_gets_able_ends_the_measure() -> None:
    with pytest.raises(TooLate, match="no database"):
        run([None])

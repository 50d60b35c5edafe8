"""The clock may only jump when all that is left waits for it by design."""

from uuid import UUID

from benchmarks.faults.waiting import Waiting, without_a_time

CASE, OTHER = UUID(int=1), UUID(int=2)


def message(number: int, *, origin: str = "krz", case: UUID = CASE, **facts: bool) -> Waiting:
    has_time, held = facts.get("has_time", False), facts.get("held", False)
    return Waiting(origin, UUID(int=100 + number), case, number, has_time, held)


def test_deferred_and_postponed_messages_have_their_time() -> None:
    assert without_a_time([message(1, has_time=True), message(4, has_time=True)]) == []


def test_what_waits_behind_them_in_the_same_case_waits_by_design() -> None:
    assert without_a_time([message(2, has_time=True), message(3, held=True)]) == []


def test_a_letter_that_may_go_and_does_not_is_stuck() -> None:
    stuck = message(2)
    assert without_a_time([message(1, has_time=True), stuck]) == [stuck]


def test_what_waits_for_something_else_is_stuck() -> None:
    deferred = message(2, has_time=True)
    others = [
        message(3, case=OTHER, held=True),
        message(3, origin="nord", held=True),
        message(1, held=True),
    ]
    assert without_a_time([deferred, *others]) == others

"""What counts as lost, gone astray or promised in vain."""

from uuid import UUID

import pytest

from benchmarks.faults.counting import Arrived, Count, broken_promises, judge

CASE, LETTER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("state", ["accepted", "completed", "closed"])
def test_a_promise_is_kept_by_a_case_that_came_as_far_or_farther(state: str) -> None:
    line = f"{CASE} acceptance accepted"
    assert broken_promises([line], {CASE: state}, {(CASE, "acceptance")}) == []


def test_an_answer_leads_back_to_where_the_case_was() -> None:
    line = f"{CASE} query queried"
    assert broken_promises([line], {CASE: "registered"}, {(CASE, "query")}) == []


def test_a_case_that_has_gone_back_a_missing_letter_or_case_breaks_a_promise() -> None:
    line = f"{CASE} acceptance accepted"
    posted = {(CASE, "acceptance")}
    assert broken_promises([line], {CASE: "registered"}, posted)
    assert broken_promises([line], {CASE: "accepted"}, set())
    assert broken_promises([line], {}, posted)


def judged(*, cancelled: bool = True, state: str = "", resolution: str = "cancelled") -> Count:
    found = Count()
    arrived = Arrived(frozenset(), frozenset({str(LETTER)} if cancelled else ()))
    arrived.applied["nord"] = {LETTER} if state == "applied" else set()
    if state:
        arrived.inbox["krz", LETTER] = ("nord", state)
    judge(found, arrived, "krz", (LETTER, "nord", "query", not resolution, resolution or None))
    return found


def test_a_letter_that_was_given_up_has_no_effect() -> None:
    found = judged()
    assert (found.cancelled, found.lost, found.astray) == (1, [], [])
    assert judged(state="pending").astray
    assert judged(state="applied").astray


def test_a_letter_that_nobody_meant_to_give_up_is_lost() -> None:
    assert judged(cancelled=False).lost


def test_a_receipted_letter_is_lost_without_its_effect() -> None:
    assert judged(state="held", resolution="").lost
    assert judged(state="applied", resolution="").relayed == 1

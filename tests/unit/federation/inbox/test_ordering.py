from dataclasses import dataclass
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from federation.inbox.ordering import Thread, plan

CASE, SENDER = uuid4(), uuid4()


@dataclass(frozen=True)
class Numbered:
    case_sequence: int
    case_id: UUID = CASE
    sender: UUID = SENDER


def _numbers(messages: list[Numbered]) -> list[int]:
    return [each.case_sequence for each in messages]


def test_plan_sorts_a_thread_and_tells_its_new_position() -> None:
    result = plan([Numbered(2), Numbered(1)], positions={})
    assert _numbers(result.ready) == [1, 2]
    assert result.positions == {(CASE, SENDER): 3}


def test_plan_holds_what_lies_behind_a_gap() -> None:
    result = plan([Numbered(4), Numbered(6)], positions={(CASE, SENDER): 4})
    assert (_numbers(result.ready), _numbers(result.held)) == ([4], [6])
    assert result.positions == {(CASE, SENDER): 5}


def test_plan_finds_numbers_that_were_used() -> None:
    result = plan([Numbered(1), Numbered(1), Numbered(3)], positions={(CASE, SENDER): 1})
    assert (_numbers(result.ready), _numbers(result.repeated)) == ([1], [1])
    assert _numbers(result.held) == [3]


def test_plan_lets_the_unordered_go_at_once_and_moves_nothing() -> None:
    result = plan([Numbered(5), Numbered(0)], positions={})
    assert _numbers(result.ready) == [0]
    assert result.positions == {}


@given(
    numbers=st.lists(st.integers(0, 8), max_size=30),
    threads=st.lists(st.integers(0, 2), min_size=30, max_size=30),
    start=st.integers(1, 4),
)
def test_plan_loses_nothing_and_never_skips(
    numbers: list[int], threads: list[int], start: int
) -> None:
    senders = [uuid4() for _ in range(3)]
    messages = [
        Numbered(number, sender=senders[thread])
        for number, thread in zip(numbers, threads, strict=False)
    ]
    positions: dict[Thread, int] = {(CASE, sender): start for sender in senders}
    result = plan(messages, positions=positions)
    assert sorted(map(id, messages)) == sorted(
        map(id, [*result.ready, *result.held, *result.repeated])
    )
    for sender in senders:
        applied = [m.case_sequence for m in result.ready if m.sender == sender and m.case_sequence]
        assert applied == list(range(start, start + len(applied)))

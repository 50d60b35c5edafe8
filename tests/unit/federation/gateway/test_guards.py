import pytest

from federation.gateway.guards import Guard
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _guard(hand: Hand, *, at_once: int = 10, rate: float = 2, burst: float = 3) -> Guard:
    return Guard(at_once=at_once, rate=rate, burst=burst, clock=hand)


def _call(guard: Guard, centre: str = "nord") -> None:
    with guard.call(centre):
        pass


def test_guard_lets_a_burst_through_and_tells_when_to_come_again() -> None:
    hand = Hand()
    guard = _guard(hand)
    for _ in range(3):
        _call(guard)
    with pytest.raises(CallRefused) as caught:
        _call(guard)
    assert (caught.value.why, caught.value.retry_delay) == (Reason.RATE_EXCEEDED, 0.5)
    hand.now += 0.5
    _call(guard)


def test_guard_does_not_let_one_peer_take_from_another() -> None:
    guard = _guard(Hand(), burst=1)
    _call(guard, "nord")
    _call(guard, "sachsen")


def test_guard_counts_what_runs_and_forgets_what_has_ended() -> None:
    guard = _guard(Hand(), at_once=1)
    with guard.call("nord"), pytest.raises(CallRefused) as caught:
        _call(guard)
    assert caught.value.why is Reason.TOO_MANY_STREAMS
    _call(guard)


def test_guard_frees_the_place_of_a_call_that_failed() -> None:
    guard = _guard(Hand(), at_once=1)
    with pytest.raises(ZeroDivisionError), guard.call("nord"):
        raise ZeroDivisionError
    _call(guard)

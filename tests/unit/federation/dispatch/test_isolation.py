"""The search for a letter that kills calls finds it, and only it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.dispatch.isolation import (
    CUTS_TO_PARK,
    KILLS_TO_PARK,
    Ending,
    Suspicion,
    acknowledged,
    ended,
)


def search(poison: set[int], *, count: int, frame: int) -> tuple[list[int], int]:
    """Play link and peer; return what was parked and how many calls were killed."""
    acked, kills, parked = 0, 0, []
    suspicion = Suspicion()
    while acked < count:
        first = acked + 1
        limit = suspicion.limit(first) or frame
        last = min(first + limit - 1, count)
        alive = poison - set(parked)
        if alive & set(range(first, last + 1)):
            kills += 1
            verdict = ended(suspicion, first=first, last=last, ending=Ending.KILLED)
            suspicion = verdict.suspicion
            if verdict.park is not None:
                parked.append(verdict.park)
        else:
            acked = last
            suspicion = acknowledged(suspicion, acked)
        assert kills < 1000
    return parked, kills


@pytest.mark.parametrize("poison", [1, 2, 32, 33, 63, 64, 65, 100])
def test_one_poisonous_letter_is_found(poison: int) -> None:
    parked, kills = search({poison}, count=100, frame=64)
    assert parked == [poison]
    assert kills <= KILLS_TO_PARK + 7


@given(st.sets(st.integers(1, 150), max_size=5), st.integers(1, 64))
def test_every_poisonous_letter_is_parked_and_no_other(poison: set[int], frame: int) -> None:
    parked, _ = search(poison, count=150, frame=frame)
    assert parked == sorted(poison)


def test_two_ends_prove_nothing() -> None:
    suspicion = Suspicion()
    for _ in range(2):
        suspicion = ended(suspicion, first=1, last=64, ending=Ending.KILLED).suspicion
    assert suspicion.covers(1)
    assert suspicion.limit(1) == 0
    assert acknowledged(suspicion, 64) == Suspicion()


def test_cut_connections_park_only_after_many() -> None:
    suspicion, cuts = Suspicion(), 0
    while True:
        cuts += 1
        verdict = ended(suspicion, first=7, last=7, ending=Ending.CUT)
        if verdict.park is not None:
            break
        suspicion = verdict.suspicion
    assert (verdict.park, cuts) == (7, CUTS_TO_PARK)


def test_another_frame_begins_a_new_suspicion() -> None:
    suspicion = ended(Suspicion(), first=1, last=64, ending=Ending.KILLED).suspicion
    suspicion = ended(suspicion, first=65, last=128, ending=Ending.KILLED).suspicion
    assert (suspicion.last, suspicion.kills) == (128, 1)

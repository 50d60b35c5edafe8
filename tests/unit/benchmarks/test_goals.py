"""What is said of figures."""

import json

import pytest

from benchmarks import goals, probes
from benchmarks.__main__ import verdict
from benchmarks.modes import percentile

PIECES = {
    "seal": 100.0,
    "sign": 30.0,
    "verify": 70.0,
    "hash": 3.0,
    "insert": 35.0,
    "number": 20.0,
    "item": 15.0,
    "commit_ms": 0.5,
    "trip_ms": 0.4,
    "bytes_per_s": 1e8,
}

ALL_MET = {goal.key: goal.limit for goal in goals.GOALS}


def test_every_goal_has_a_key_of_its_own() -> None:
    keys = [goal.key for goal in goals.GOALS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("key", "value", "met"),
    [
        ("G1", 5.0, True),
        ("G1", 4.99, False),
        ("G4", 1.35, True),
        ("G4", 1.36, False),
        ("G11", 0, True),
        ("G11", 1, False),
    ],
)
def test_a_goal_is_met_on_its_own_side_of_the_limit(key: str, value: float, *, met: bool) -> None:
    assert goals.BY_KEY[key].met(value) is met
    assert ("NOT MET" in goals.BY_KEY[key].line(value)) is not met


def test_what_was_not_measured_is_said_and_not_counted() -> None:
    lines = goals.table({"G1": 6.1})
    assert len(lines) == len(goals.GOALS)
    assert sum("not measured" in line for line in lines) == len(goals.GOALS) - 1
    found = json.loads(json.dumps(goals.as_json({"G1": 6.1})))
    assert found == {"goals": {"G1": {"value": 6.1, "goal": "at least 5", "met": True}}}


def test_what_was_reduced_is_marked() -> None:
    found = goals.as_json({"G1": 6.1, "G12": 1.0}, frozenset({"G12"}))["goals"]
    assert found == {
        "G1": {"value": 6.1, "goal": "at least 5", "met": True},
        "G12": {"value": 1.0, "goal": "at most 1.1", "met": True, "reduced": True},
    }
    assert "(reduced)" in goals.BY_KEY["G12"].line(1.0, reduced=True)


@pytest.mark.parametrize(
    ("values", "wanted", "problems", "code"),
    [
        ({"G1": 5.0}, (), (), 0),
        ({"G1": 5.0, "G5": 3.0}, (), (), 1),
        ({}, (), (), 1),
        (ALL_MET, (), (), 0),
        (ALL_MET, tuple(ALL_MET), (), 0),
        ({key: ALL_MET[key] for key in ALL_MET if key != "G3a"}, tuple(ALL_MET), (), 1),
        ({"G10": 1.0, "G10a": 1.0}, ("G10",), (), 0),
        ({"G10": 1.0}, ("G10",), (), 1),
        ({"G1": 5.0}, ("G1", "G7"), (), 1),
        ({"G1": 5.0}, (), ("receipts that verify: 1 of 2",), 1),
    ],
)
def test_the_exit_code_is_good_only_if_all_was_measured_and_met(
    values: dict[str, float], wanted: tuple[str, ...], problems: tuple[str, ...], code: int
) -> None:
    assert verdict(values, frozenset(wanted), problems) == code


def test_the_ceiling_is_what_all_cores_do_at_the_price_of_the_pieces() -> None:
    # 100 + 30 + 2*35 + 20 + 15 + 70 + 2*3 + 13
    assert probes.ceiling(PIECES, cores=2) == pytest.approx(2e6 / 324)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([1.0, 2.0, 3.0], 0.5, 2.0), (range(101), 0.99, 99.0)],
)
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert percentile(list(values), share) == pytest.approx(expected, abs=0.2)

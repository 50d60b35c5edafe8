"""What a run does, and what it says about what it did less of."""

import json

import pytest

from benchmarks import goals
from benchmarks.run import Sizes


@pytest.mark.parametrize("sizes", [Sizes(), Sizes.quick()])
@pytest.mark.parametrize("key", ["G11", "G12", "G12a", "G17", "G17a", "G17b"])
def test_what_is_done_at_a_tenth_is_marked(sizes: Sizes, key: str) -> None:
    said = json.loads(json.dumps(goals.as_json({key: 0.0}, sizes.reduced)))
    assert said["goals"][key]["reduced"] is True
    assert f"{goals.BY_KEY[key].words} (reduced)" in "\n".join(
        goals.table({key: 0.0}, sizes.reduced)
    )


def test_a_long_run_does_all() -> None:
    assert not Sizes.long().reduced
    assert Sizes.long().dead == Sizes.long().sustained == 1_000_000


@pytest.mark.parametrize(
    ("key", "value", "met"),
    [("G17a", 0.8, True), ("G17a", 0.3, False), ("G17b", 16, True), ("G17b", 40, False)],
)
def test_a_drain_that_slows_down_or_grows_is_not_met(key: str, value: float, *, met: bool) -> None:
    assert goals.BY_KEY[key].met(value) is met

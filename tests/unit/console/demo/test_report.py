from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from console.demo.report import Count, Pair, Posted, percentile, shortcomings, table

CASES = [uuid4() for _ in range(3)]
POSTED = Posted(rows=3, cases=frozenset(CASES))
#: Three requests and their three registrations.
CHECKED = {"letters": 6, "verified": 6, "problems": 0}


def counted(**other: Any) -> Count:
    whole: dict[str, Any] = {
        "pairs": {("krz", "nord"): Pair(sent=3, delivered=3, registered=3)},
        "arrived": set(CASES),
        "acknowledged": 6,
    }
    return Count(**{**whole, **other})


def test_demo_is_a_success_if_every_row_arrived_and_is_proven() -> None:
    assert list(shortcomings(POSTED, counted(), CHECKED)) == []


@pytest.mark.parametrize(
    ("posted", "found", "checked", "words"),
    [
        (replace(POSTED, rows=5), counted(), CHECKED, "2 of 5 rows of the sample file"),
        (Posted(rows=0, cases=frozenset()), Count(), CHECKED, "0 of 0 rows"),
        # Kept as a draft, while a clerk sent another request: the sums alone agree.
        (POSTED, counted(arrived={uuid4(), *CASES[1:]}), CHECKED, "1 request of the sample"),
        (
            POSTED,
            counted(pairs={("krz", "nord"): Pair(sent=4, delivered=3, registered=3)}),
            CHECKED,
            "of 4 requests 3 are delivered",
        ),
        (POSTED, counted(under_way=1), CHECKED, "1 letter is under way"),
        (POSTED, counted(lost=1), CHECKED, "1 letter is lost"),
        (POSTED, counted(duplicates=2), CHECKED, "2 had their effect twice"),
        (POSTED, counted(), CHECKED | {"problems": 2}, "2 things are wrong with the receipts"),
        (
            POSTED,
            counted(),
            CHECKED | {"verified": 5},
            "no receipt proves the delivery of 1 letter",
        ),
        (
            POSTED,
            counted(),
            CHECKED | {"letters": 5, "verified": 5},
            "1 delivered letter has no receipt",
        ),
        (
            POSTED,
            counted(),
            CHECKED | {"letters": 0, "verified": 0},
            "6 delivered letters have no receipt",
        ),
    ],
)
def test_demo_that_is_not_complete_says_what_is_missing(
    posted: Posted, found: Count, checked: dict[str, int], words: str
) -> None:
    assert any(words in problem for problem in shortcomings(posted, found, checked))


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(200, 0, -1)], 0.99, 198.0),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
    ],
)
def test_percentile_is_a_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


def test_table_has_a_line_for_each_pair_and_a_total() -> None:
    count = Count(
        pairs={
            ("krz", "sachsen"): Pair(sent=3, delivered=3, registered=2, milliseconds=[10, 20, 30]),
            ("krz", "krz"): Pair(sent=1, delivered=1, registered=1, milliseconds=[5]),
        }
    )
    lines = table(count).splitlines()
    assert [line.split() for line in lines] == [
        ["from", "to", "sent", "delivered", "registered", "p50", "ms", "p99", "ms"],
        ["krz", "krz", "1", "1", "1", "5", "5"],
        ["krz", "sachsen", "3", "3", "2", "20", "30"],
        ["all", "4", "4", "3", "10", "30"],
    ]


def test_nothing_is_settled_while_a_letter_is_under_way_or_without_effect() -> None:
    pair = {("a", "b"): Pair(sent=1, delivered=1, registered=1)}
    assert Count(pairs=pair).settled
    assert not Count(pairs=pair, under_way=1).settled
    assert not Count(pairs=pair, unprocessed=1).settled
    assert not Count(pairs={("a", "b"): Pair(sent=2, delivered=2, registered=1)}).settled

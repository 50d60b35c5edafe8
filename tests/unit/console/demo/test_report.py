import pytest

from console.demo.report import Count, Pair, percentile, table


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

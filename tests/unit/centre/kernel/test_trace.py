import re

import pytest

from centre.kernel import trace

SHAPE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_goes_on_with_another_span() -> None:
    found = trace.following(GIVEN)
    assert trace.trace_id(found) == trace.trace_id(GIVEN) == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert found != GIVEN
    assert SHAPE.fullmatch(found)


@pytest.mark.parametrize(
    "given", ["", "x", GIVEN.upper(), GIVEN + "0", "00-" + "0" * 32 + GIVEN[35:], "01" + GIVEN[2:]]
)
def test_what_cannot_be_read_is_no_trace(given: str) -> None:
    found = trace.following(given)
    assert SHAPE.fullmatch(found)
    assert trace.trace_id(found) != trace.trace_id(GIVEN)


def test_work_within_a_block_is_of_one_trace() -> None:
    with trace.continued(GIVEN) as span:
        assert trace.trace_id(span) == trace.trace_id(trace.here()) == trace.trace_id(GIVEN)
        assert trace.here() != span
    assert trace.trace_id(trace.here()) != trace.trace_id(GIVEN)

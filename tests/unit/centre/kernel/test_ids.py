import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from centre.kernel.ids import id_time_ms, new_id


def test_ids_grow_strictly_and_are_of_version_7() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {identifier.version for identifier in ids} == {7}
    assert {identifier.variant for identifier in ids} == {"specified in RFC 4122"}


def test_ids_of_many_threads_never_meet() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(2_000)], range(8)))
    assert len({identifier for batch in batches for identifier in batch}) == 16_000


def test_id_tells_its_time() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= id_time_ms(new_id()) <= time.time_ns() // 1_000_000 + 1


def test_a_clock_that_goes_back_does_not_break_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    assert new_id() > first


def test_time_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7"):
        id_time_ms(uuid4())

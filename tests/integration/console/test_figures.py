"""What Prometheus reads of what waits at a centre, asked with the worker's login."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from console.figures import _Figures

type Dsn = Callable[[str], str]

HOUR = timedelta(hours=1)


@pytest.fixture
def figures(committed_db: None, dsn: Dsn) -> Callable[[], dict[str, float]]:
    """Return the function that reads all figures; a state stands behind the name."""

    def read() -> dict[str, float]:
        return {
            " ".join([sample.name.removeprefix("amtsbruecke_"), *sample.labels.values()]): (
                sample.value
            )
            for metric in _Figures(dsn("worker")).collect()
            for sample in metric.samples
        }

    return read


@pytest.fixture
def owner(committed_db: None, dsn: Dsn) -> Any:
    with psycopg.connect(dsn("owner"), autocommit=True) as connection:
        yield connection


def _arrived(owner: Any, town: Municipality, state: str, ago: timedelta) -> None:
    owner.execute(
        "INSERT INTO inbox_inboundmessage (id, origin, tenant_role, link, sender, case_id,"
        " case_sequence, kind, envelope, digest, received_at, state, due_at, reason, detail)"
        " VALUES (%s, 'nord', %s, 'nord', %s, %s, 1, 'query', '', '', now() - %s, %s, now(), '',"
        " '')",
        (new_id(), town.tenant_role, new_id(), new_id(), ago, state),
    )


def test_oldest_of_each_state_is_told_in_seconds(
    figures: Callable[[], dict[str, float]], owner: Any, alpha: Municipality
) -> None:
    empty = figures()
    assert empty["inbox_oldest_seconds pending"] == empty["inbox_oldest_seconds held"] == 0
    for state, hours in (("pending", 1), ("pending", 2), ("held", 5), ("held", 3), ("parked", 9)):
        _arrived(owner, alpha, state, hours * HOUR)
    told = figures()
    assert told["inbox_oldest_seconds pending"] == pytest.approx(2 * 3600, abs=60)
    assert told["inbox_oldest_seconds held"] == pytest.approx(5 * 3600, abs=60)
    assert [told[f"inbox_messages {state}"] for state in ("pending", "held", "parked")] == [2, 2, 1]


def test_alarms_count_until_somebody_has_seen_them(
    figures: Callable[[], dict[str, float]], owner: Any
) -> None:
    for _ in range(2):
        owner.execute(
            "INSERT INTO outbox_alarm (id, code, link, tenant_role, detail, raised_at)"
            " VALUES (%s, 'SEQUENCE_REWIND', 'nord', NULL, '', now())",
            (new_id(),),
        )
    assert figures()["alarms"] == 2
    owner.execute("UPDATE outbox_alarm SET acknowledged_at = now()")
    assert figures()["alarms"] == 0


def test_database_that_does_not_answer_is_told_and_nothing_else() -> None:
    (up,) = _Figures("postgresql://nobody@127.0.0.1:1/none").collect()
    assert [(sample.name, sample.value) for sample in up.samples] == [
        ("amtsbruecke_database_up", 0)
    ]

"""However many beats run, one acts."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.db import connection

from centre.config.beat import LonelyScheduler

app = Celery("of_beat", broker="memory://beat", set_as_current=False)


ticks: list[int] = []


@pytest.fixture
def scheduler(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LonelyScheduler]:
    ticks.clear()

    def tick(_: LonelyScheduler) -> float:
        ticks.append(1)
        return 0.0

    monkeypatch.setattr("celery.beat.Scheduler.tick", tick)
    yield LonelyScheduler(app, lazy=True)
    connection.close()


def test_first_beat_acts_and_the_second_waits_for_its_end(
    scheduler: LonelyScheduler, dsn: Callable[[str], str]
) -> None:
    with psycopg.connect(dsn("worker"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('amtsbruecke beat'))")
        assert scheduler.tick() > 0
        assert len(ticks) == 0
        other.execute("SELECT pg_advisory_unlock_all()")  # a closed session lets go a moment later
    scheduler.tick()
    scheduler.tick()
    assert len(ticks) == 2


def test_beat_stops_when_its_session_is_lost_and_comes_back(
    scheduler: LonelyScheduler, cluster: Any
) -> None:
    scheduler.tick()
    with psycopg.connect(cluster.server.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [cluster.test_database],
        )
    assert scheduler.tick() > 0
    assert len(ticks) == 1
    scheduler.tick()
    assert len(ticks) == 2

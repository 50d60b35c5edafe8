"""A real worker takes messages from a broker; nothing is faked but the network between them."""

import os
import queue
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.db import connection, connections

from centre.config.tasks import HEADER, StrictTask
from centre.registry.models import Municipality
from centre.tenancy.context import current_tenant, tenant_scope

#: A broker of one's own may be named, to see that the product gets along with it.
BROKER = os.environ.get("AMTSBRUECKE_TEST_BROKER", "memory://worker")

app = Celery("of_tests", broker=BROKER, task_cls=StrictTask, set_as_current=False, backend=None)
app.conf.update(
    task_acks_late=True, task_ignore_result=True, worker_hijack_root_logger=False, timezone="UTC"
)
done: queue.Queue[tuple[str, str, bool]] = queue.Queue()


@app.task(scope="tenant", name="of_tests.note", bind=True, max_retries=1)  # type: ignore[untyped-decorator]
def note(task: StrictTask) -> None:
    tenant = current_tenant()
    assert tenant is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
    connections.close_all()
    again = task.request.retries > 0
    done.put((tenant.slug, role, again))
    if tenant.slug == "gamma" and not again:
        raise task.retry(countdown=0)


@app.task(scope="centre", name="of_tests.last")  # type: ignore[untyped-decorator]
def last() -> None:
    done.put(("", "", current_tenant() is None))


@pytest.fixture
def worker(committed_db: None) -> Iterator[None]:
    while not done.empty():
        done.get()
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield


def _all_done() -> list[tuple[str, str, bool]]:
    """What the worker did until the task that was sent last."""
    last.delay()
    seen = []
    while (entry := done.get(timeout=30)) != ("", "", True):
        seen.append(entry)
    return seen


def _send_by_hand(headers: dict[str, Any]) -> None:
    """Publish as anybody could who reaches the broker."""
    app.send_task("of_tests.note", headers=headers)


@pytest.mark.slow
def test_worker_runs_each_task_in_its_own_tenant(
    worker: None, alpha: Municipality, beta: Municipality
) -> None:
    for municipality in (alpha, beta, alpha):
        with tenant_scope(municipality):
            note.delay()
    assert _all_done() == [
        ("alpha", "krz_t_alpha", False),
        ("beta", "krz_t_beta", False),
        ("alpha", "krz_t_alpha", False),
    ]


@pytest.mark.slow
def test_worker_never_runs_a_task_of_an_unknown_tenant(worker: None) -> None:
    for headers in ({}, {HEADER: "m_nowhere"}, {HEADER: "public"}, {HEADER: 7}):
        _send_by_hand(headers)
    assert _all_done() == []


@pytest.mark.slow
def test_retry_stays_in_its_tenant(worker: None, gamma: Municipality) -> None:
    with tenant_scope(gamma):
        note.delay()
    assert done.get(timeout=30) == ("gamma", "krz_t_gamma", False)
    assert done.get(timeout=30) == ("gamma", "krz_t_gamma", True)

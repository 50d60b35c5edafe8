"""Every Celery task, tried without a tenant and with wrong ones."""

from collections.abc import Callable
from typing import Any

import pytest

from centre.config.celery import app
from centre.config.tasks import HEADER, Scope, StrictTask
from centre.directory import selectors
from centre.directory.interface import Directory
from centre.directory.records import Snapshot
from centre.kernel import clock
from centre.kernel.actors import system
from centre.registry.models import Municipality
from centre.tenancy.context import PUBLIC, current_place, current_tenant, tenant_scope
from tenants.importers import services
from tests.factories.schemas import rows_of

app.finalize(auto=True)
app.loader.import_default_modules()
TASKS = sorted(name for name in app.tasks if not name.startswith("celery."))
WRONG: list[dict[str, Any]] = [{}, {HEADER: "m_nowhere"}, {HEADER: "public"}, {HEADER: ""}]


@pytest.mark.parametrize("name", TASKS)
def test_task_says_whose_it_is(name: str) -> None:
    task = app.tasks[name]
    assert isinstance(task, StrictTask)
    assert task.scope in set(Scope), f"{name}: shared_task(scope='centre') or scope='tenant'"


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("headers", WRONG, ids=repr)
def test_task_never_runs_for_a_wrong_tenant(
    db: None, monkeypatch: pytest.MonkeyPatch, name: str, headers: dict[str, Any]
) -> None:
    task, places = _watched(monkeypatch, name)
    super(StrictTask, task).apply(headers=headers)
    assert places == ([PUBLIC] if task.scope == Scope.CENTRE else [])


@pytest.mark.parametrize("name", TASKS)
def test_task_runs_for_the_tenant_that_is_noted_only(
    db: None, alpha: Municipality, beta: Municipality, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task, places = _watched(monkeypatch, name)
    with tenant_scope(beta) if task.scope == Scope.CENTRE else tenant_scope(alpha):
        super(StrictTask, task).apply(headers={HEADER: alpha.schema_name})
    (place,) = places
    expected = None if task.scope == Scope.CENTRE else alpha.identity
    assert place.tenant == expected
    assert current_tenant() is None


def _watched(monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[StrictTask, list[Any]]:
    """Let the task note where it runs instead of doing its work."""
    task, places = app.tasks[name], []
    monkeypatch.setattr(task, "run", lambda *_args, **_kwargs: places.append(current_place()))
    return task, places


# -- what a task does, not only where ----------------------------------------------------------


def _file_to_check() -> None:
    services.start(name="ersuchen.csv", chunks=[b"Einkauf;Milch\n"], by=system("test"))


#: Work that is due in a municipality, for each task of one. A task without an entry fails.
WORK: dict[str, Callable[[], None]] = {"importers.work_off": _file_to_check}


def test_every_task_of_a_tenant_is_given_work() -> None:
    assert {name for name in TASKS if app.tasks[name].scope == Scope.TENANT} == WORK.keys()


@pytest.mark.parametrize("name", WORK)
def test_work_of_one_tenant_is_not_touched_for_another(
    db: None,
    alpha: Municipality,
    beta: Municipality,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    nobody = Snapshot(
        version=1,
        published_at=clock.now(),
        expires_at=clock.in_future(days=1),
        centres=(),
        authorities=(),
    )
    monkeypatch.setattr(selectors, "present", lambda: Directory(nobody, digest="1"))
    with tenant_scope(alpha):
        WORK[name]()
    before = rows_of(alpha)
    for headers in [*WRONG, {HEADER: beta.schema_name}]:
        super(StrictTask, app.tasks[name]).apply(headers=headers)
        assert rows_of(alpha) == before, headers
    super(StrictTask, app.tasks[name]).apply(headers={HEADER: alpha.schema_name})
    assert rows_of(alpha) != before, "there was no work"


def test_beat_starts_tasks_that_exist() -> None:
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled <= set(TASKS)
    assert all(app.tasks[name].scope == Scope.CENTRE for name in scheduled)
    assert not any(
        "args" in entry or "kwargs" in entry for entry in app.conf.beat_schedule.values()
    )

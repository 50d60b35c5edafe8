"""Several workers, several files, and a worker that dies: each row becomes one request."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connections

from centre.directory import selectors as directory
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from tenants.cases import services as cases
from tenants.cases.models import Case
from tenants.importers import services
from tenants.importers.errors import RunNotReady
from tenants.importers.models import ImportRow, RowState
from tenants.importers.services import decisions, running
from tests.factories.import_files import file
from tests.integration.mortal import work_and_be_killed
from tests.integration.tenants.cases.conftest import directory_of
from tests.integration.tenants.importers.conftest import Desk, Row

pytestmark = [pytest.mark.process("worker"), pytest.mark.usefixtures("committed_db", "small")]

type ToB = Callable[..., Row]

CHUNK = 8


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks."""
    monkeypatch.setattr(running, "CHUNK", CHUNK)


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do all of it in threads that begin together."""
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        try:
            ready.wait(10)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [each.result(60) for each in [pool.submit(run, work) for work in works]]


def confirmed(desk: Desk, *rows: Row) -> UUID:
    view = desk.check(*rows)
    with desk.town.scope():
        services.confirm(run_id=view.id, by=desk.town.by)
    return view.id


def references(desk: Desk) -> list[str]:
    with desk.town.scope():
        return sorted(Case.objects.values_list("own_reference", flat=True))


def expected(numbers: range) -> list[str]:
    return [f"20.3-{number:04}/26" for number in numbers]


def test_two_workers_share_a_run(desk: Desk, to_b: ToB) -> None:
    run_id = confirmed(desk, *(to_b(number) for number in range(60)))

    def whole_run() -> None:
        with desk.town.scope():
            services.run_import(run_id)

    at_once(whole_run, whole_run)
    view = desk.run(run_id)
    assert (view.state, view.imported) == ("finished", 60)
    assert references(desk) == expected(range(60))


def test_second_worker_leaves_a_run_that_another_is_at(
    desk: Desk, to_b: ToB, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = confirmed(desk, *(to_b(number) for number in range(8)))
    other = confirmed(desk, to_b(9))
    inside, leave = threading.Event(), threading.Event()
    submit = cases.submit_requests

    def slow(**more: object) -> list[Case]:
        if threading.current_thread().name == "first":
            inside.set()
            assert leave.wait(30)
        return submit(**more)  # type: ignore[arg-type]

    monkeypatch.setattr(cases, "submit_requests", slow)

    def first() -> None:
        try:
            with desk.town.scope():
                services.run_import(busy)
        finally:
            connections.close_all()

    thread = threading.Thread(target=first, name="first")
    thread.start()
    assert inside.wait(30)
    desk.work_off()
    assert (desk.run(busy).state, desk.run(other).state) == ("running", "finished")
    monkeypatch.setattr(decisions, "_PATIENCE", "50ms")
    with pytest.raises(RunNotReady, match="gerade bearbeitet"), desk.town.scope():
        services.discard(run_id=busy, by=desk.town.by)
    leave.set()
    thread.join(30)
    assert desk.run(busy).state == "finished"


@pytest.mark.parametrize("order", [1, -1], ids=["same-order", "other-order"])
def test_two_runs_with_the_same_rows_import_each_once(desk: Desk, to_b: ToB, order: int) -> None:
    rows = [to_b(number) for number in range(40)]
    one, two = confirmed(desk, *rows), confirmed(desk, *rows[::order], to_b(0, IBAN=""))

    def whole_run(run_id: UUID) -> None:
        with desk.town.scope():
            services.run_import(run_id)

    at_once(lambda: whole_run(one), lambda: whole_run(two))
    views = desk.run(one), desk.run(two)
    assert [each.state for each in views] == ["finished", "finished"]
    assert sum(each.imported for each in views) == 40
    assert sum(each.repeated for each in views) == 40
    assert references(desk) == expected(range(40))
    with desk.town.scope():
        repeated = ImportRow.objects.filter(state=RowState.REPEATED)
        assert all(each.case_id for each in repeated)


def test_same_file_given_twice_at_once_is_one_run(desk: Desk, to_b: ToB) -> None:
    content = file(to_b(1))
    given = at_once(*[lambda: desk.give(content)] * 4)
    assert len(set(given)) == 1


#: In a process of its own: one that is forked off ours may wait for locks that our threads hold.
_MORTAL = """
import sys
import django
django.setup()
from tests.integration.tenants.importers import test_together
test_together.import_and_die(*sys.argv[1:])
"""


def import_and_die(slug: str, run_id: str, chunks: str) -> None:
    """Be killed in the middle of a chunk, when as many before it are imported."""
    towns = {town.slug: town for town in Municipality.objects.order_by("slug")}
    known, left = directory_of(*towns.values()), int(chunks)
    submit = cases.submit_requests

    def submit_and_die(**more: Any) -> list[Case]:
        nonlocal left
        made = submit(**more)
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    with (
        patch.object(running, "CHUNK", CHUNK),
        patch.object(directory, "present", lambda: known),
        patch.object(cases, "submit_requests", submit_and_die),
        tenant_scope(towns[slug]),
    ):
        services.run_import(UUID(run_id))


def test_killed_worker_leaves_what_another_takes_up(
    desk: Desk, to_b: ToB, dsn: Callable[[str], str]
) -> None:
    run_id = confirmed(desk, *(to_b(number) for number in range(40)))
    work_and_be_killed(
        _MORTAL,
        *(desk.town.municipality.slug, str(run_id), "3"),
        process="worker",
        url=dsn("worker"),
    )
    view = desk.run(run_id)
    assert (view.state, view.imported) == ("running", 3 * CHUNK)
    assert references(desk) == expected(range(3 * CHUNK))
    desk.work_off()
    after = desk.run(run_id)
    assert (after.state, after.imported) == ("finished", 40)
    assert references(desk) == expected(range(40))

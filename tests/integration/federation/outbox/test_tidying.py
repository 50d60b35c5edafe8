"""Notes about failed calls go; what is evidence stays."""

from datetime import timedelta

import pytest

from centre.kernel import clock
from federation.outbox import tasks, tidying
from federation.outbox.models import Attempt, Link

pytestmark = [pytest.mark.usefixtures("db")]


def _attempts(link: str, *ages: timedelta) -> None:
    now = clock.now()
    Attempt.objects.bulk_create(
        Attempt(link=link, started_at=now - age, ended_at=now - age, code="UNAVAILABLE")
        for age in ages
    )


@pytest.mark.process("owner")
def test_old_notes_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "_BATCH", 2)
    Link.objects.bulk_create([Link(name="nord"), Link(name="sachsen")])
    old, young = timedelta(days=91), timedelta(days=89)
    _attempts("nord", *[old] * 5, young)
    _attempts("sachsen", old)
    assert tidying.delete_attempts(older_than=timedelta(days=90)) == 6
    assert list(Attempt.objects.values_list("link", flat=True)) == ["nord"]


@pytest.mark.process("worker")
def test_the_worker_has_the_rights() -> None:
    tasks.tidy()

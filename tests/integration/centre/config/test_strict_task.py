"""A task runs in the tenant that enqueued it, or not at all."""

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Reject
from celery.result import EagerResult
from django.db import connection, transaction

from centre.config.tasks import HEADER, StrictTask
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import current_tenant, tenant_scope
from centre.tenancy.errors import TenantRequired, WrongTenant

app = Celery("tests", broker="memory://", task_cls=StrictTask, set_as_current=False)
ran: list[str | None] = []


def _note() -> None:
    tenant = current_tenant()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
    assert role == (tenant.role if tenant else "krz_web")
    ran.append(tenant.slug if tenant else None)


of_tenant = app.task(_note, name="tests.of_tenant", scope="tenant")
of_centre = app.task(_note, name="tests.of_centre", scope="centre")
of_nobody = app.task(_note, name="tests.of_nobody")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()
    _queue().clear()


def _queue() -> list[dict[str, Any]]:
    """What lies at the broker."""
    with app.connection_for_write() as broker:
        return broker.default_channel._queue_for("celery").queue  # type: ignore[no-any-return]


def _received(headers: dict[str, Any], task: StrictTask = of_tenant) -> EagerResult:
    """Run a task as a worker does that received these headers."""
    return super(StrictTask, task).apply(headers=headers)


def test_runs_in_the_tenant_that_enqueued(db: None, alpha: Municipality) -> None:
    with tenant_scope(alpha):
        of_tenant.apply().get()
    assert ran == ["alpha"]


def test_tenants_task_is_not_enqueued_outside(db: None) -> None:
    with pytest.raises(TenantRequired):
        of_tenant.apply_async()
    with pytest.raises(TenantRequired):
        of_tenant.delay_on_commit()
    with pytest.raises(TenantRequired):
        of_tenant()


def test_centres_task_leaves_the_tenant(db: None, alpha: Municipality) -> None:
    _received({}, of_centre)
    assert ran == [None]


@pytest.mark.parametrize("headers", [{}, {HEADER: "m_omega"}, {HEADER: "public"}, {HEADER: ["x"]}])
def test_without_a_known_tenant_it_never_runs(db: None, headers: dict[str, Any]) -> None:
    result = _received(headers)
    assert result.state == "REJECTED"
    assert ran == []


@pytest.mark.parametrize("state", sorted(set(MunicipalityState) - {MunicipalityState.ACTIVE}))
@pytest.mark.process("owner")
def test_of_a_closed_tenant_it_never_runs(
    db: None, alpha: Municipality, state: MunicipalityState
) -> None:
    Municipality.objects.filter(pk=alpha.pk).update(state=state)
    result = _received({HEADER: "m_alpha"})
    assert result.state == "REJECTED"
    assert ran == []


def test_task_that_does_not_say_whose_it_is_never_runs(db: None, alpha: Municipality) -> None:
    with tenant_scope(alpha), pytest.raises(Reject):
        of_nobody()
    assert ran == []


def test_task_is_enqueued_at_the_commit_for_the_tenant_of_the_call(
    committed_db: None, alpha: Municipality
) -> None:
    with tenant_scope(alpha), transaction.atomic():
        of_tenant.delay_on_commit()
        assert not _queue()
    (message,) = _queue()
    assert message["headers"][HEADER] == "m_alpha"


def test_note_of_another_tenant_is_refused(
    db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha), pytest.raises(WrongTenant):
        of_tenant.apply_async(headers={HEADER: beta.schema_name})


def test_commit_does_not_fail_when_the_broker_is_down(
    committed_db: None, alpha: Municipality
) -> None:
    lost = Celery("lost", broker="redis://127.0.0.1:1/0", task_cls=StrictTask, set_as_current=False)
    task = lost.task(_note, name="tests.lost", scope="tenant")
    with tenant_scope(alpha), transaction.atomic():
        task.delay_on_commit()

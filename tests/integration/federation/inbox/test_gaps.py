"""A message that waits for an earlier one is somebody's business after an hour."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import public_scope, tenant_scope
from federation.inbox import gaps, selectors
from federation.inbox.models import InboundState
from federation.outbox.models import Alarm

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.process("worker")]

type AsProcess = Callable[[str], AbstractContextManager[None]]

_PUT = """
INSERT INTO inbox_inboundmessage (id, origin, tenant_role, link, lseq, sender, case_id,
    case_sequence, kind, envelope, digest, received_at, state, due_at)
VALUES (%s, 'nord', %s, 'nord', 1, %s, %s, %s, 'query', '', '', %s, %s, now())
"""


def held(
    as_process: AsProcess,
    tenant: Municipality,
    *,
    age: timedelta,
    case: UUID | None = None,
    sequence: int = 2,
    state: InboundState = InboundState.HELD,
) -> UUID:
    message_id, sender = new_id(), UUID(int=1)
    with as_process("owner"), connection.cursor() as cursor:
        cursor.execute(
            _PUT,
            [
                message_id, tenant.tenant_role, sender, case or new_id(), sequence,
                clock.now() - age, state,
            ],
        )  # fmt: skip
    return message_id


def test_a_message_that_waits_for_an_hour_raises_one_alarm(
    alpha: Municipality, as_process: AsProcess
) -> None:
    late = held(as_process, alpha, age=timedelta(minutes=61))
    held(as_process, alpha, age=timedelta(minutes=59))
    with public_scope():
        assert (gaps.raise_alarms(), gaps.raise_alarms()) == (1, 0)
    with tenant_scope(alpha):
        (alarm,) = Alarm.objects.all()
    assert (alarm.code, alarm.message_id, alarm.link) == ("MESSAGE_HELD_LONG", late, "nord")


def test_a_gap_raises_one_alarm_however_many_wait_behind_it(
    alpha: Municipality, beta: Municipality, as_process: AsProcess
) -> None:
    case, day = new_id(), timedelta(days=1)
    first = held(as_process, alpha, age=day, case=case, sequence=3)
    held(as_process, alpha, age=day, case=case, sequence=4)
    other = held(as_process, beta, age=day)
    with public_scope():
        assert gaps.raise_alarms() == 2
        found = set(Alarm.objects.values_list("tenant_role", "message_id"))
    assert found == {(alpha.tenant_role, first), (beta.tenant_role, other)}


@pytest.mark.parametrize("state", [InboundState.APPLIED, InboundState.PARKED])
def test_only_held_messages_are_meant(
    alpha: Municipality, as_process: AsProcess, state: InboundState
) -> None:
    held(as_process, alpha, age=timedelta(days=1), state=state)
    with public_scope():
        assert gaps.raise_alarms() == 0


def test_who_has_waiting_messages_is_told_across_tenants(
    alpha: Municipality, beta: Municipality, as_process: AsProcess
) -> None:
    held(as_process, alpha, age=timedelta(0))
    held(as_process, beta, age=timedelta(0), state=InboundState.APPLIED)
    with public_scope():
        found = selectors.tenants_with_waiting_messages(states=[InboundState.HELD])
    assert found == [alpha.tenant_role]

"""A municipality that goes leaves no sender in the belief that somebody works on its message."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.inbox import endings, processing
from federation.inbox.models import InboundMessage, InboundState
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import MessageKind
from federation.wire.notices import read_processing_failure
from tests.factories.desks import SENDER, Deliver, Desk

pytestmark = pytest.mark.usefixtures("committed_db", "desk")

type As = Callable[[str], AbstractContextManager[None]]
OPERATOR = system("tests")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_BATCH", 2)


def test_what_was_never_applied_is_discarded_and_every_sender_is_told(
    desk: Desk, deliver: Deliver, alpha: Municipality, beta: Municipality, as_process: As
) -> None:
    desk.faults["bad"] = MessageUnprocessable("PAYLOAD_MALFORMED", "This is no request.")
    done, parked = deliver(alpha, "good"), deliver(alpha, "bad")
    held = deliver(alpha, "second", sequence=2)
    with as_process("worker"):
        processing.apply_due_messages(budget=timedelta(seconds=30))
    fresh = deliver(alpha, "fresh")
    notice = deliver(alpha, "notice", sequence=0, kind=MessageKind.PROCESSING_FAILURE)
    others = deliver(beta, "for beta")
    desk.posted.clear()
    with as_process("owner"):
        with tenant_scope(alpha):
            assert endings.what_was_never_applied().startswith("4 messages have come in")
        for _ in range(2):  # the second time there is nothing to do
            endings.discard_all(municipality=alpha, by=OPERATOR)
        with tenant_scope(alpha):
            assert not endings.what_was_never_applied()
            states = dict(InboundMessage.objects.values_list("id", "state"))
        assert states == {
            done: InboundState.APPLIED,
            **dict.fromkeys((parked, held, fresh, notice), InboundState.DISCARDED),
        }
        with tenant_scope(beta):
            assert InboundMessage.objects.get(id=others).state == InboundState.PENDING
        told = TrailEntry.objects.filter(event=AuditEvent.INBOX_MESSAGE_DISCARDED)
        assert [each.tenant_role for each in told] == [alpha.tenant_role] * 4
    # Nobody answers a notice that something failed.
    notices = {read_processing_failure(each.payload) for each in desk.posted}
    assert {each.message_id for each in notices} == {parked, held, fresh}
    assert {each.reason for each in notices} == {"RECIPIENT_DELETED"}
    assert {each.recipient for each in desk.posted} == {SENDER.id}


def test_many_are_discarded_in_batches(
    deliver: Deliver, alpha: Municipality, as_process: As, desk: Desk
) -> None:
    case_id = new_id()
    for sequence in range(1, 8):
        deliver(alpha, f"step {sequence}", sequence=sequence, case_id=case_id)
    with as_process("owner"):
        endings.discard_all(municipality=alpha, by=OPERATOR)
    assert len(desk.posted) == 7

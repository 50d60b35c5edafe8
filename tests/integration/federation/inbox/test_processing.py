"""From the inbox to the effect: exactly once, in order, and never stuck on one bad message."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import tenant_scope
from federation.inbox import processing, selectors, services, states
from federation.inbox.models import InboundMessage, InboundState
from federation.outbox.models import Alarm
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import InboundMessage as Message
from federation.protocol.messages import MessageKind
from federation.wire.notices import read_processing_failure
from tests.factories.desks import SENDER, Deliver, Desk
from tests.factories.letters import Office

pytestmark = [pytest.mark.usefixtures("committed_db", "desk"), pytest.mark.process("worker")]

BUDGET = timedelta(seconds=30)
OPERATOR = system("tests")


def _states(tenant: Municipality) -> dict[UUID, str]:
    with tenant_scope(tenant):
        return dict(InboundMessage.objects.values_list("id", "state"))


def _run() -> None:
    assert processing.apply_due_messages(budget=BUDGET) is False


def _make_due(tenant: Municipality) -> None:
    with tenant_scope(tenant):
        InboundMessage.objects.filter(state=InboundState.PENDING).update(due_at=clock.now())


def test_a_message_has_its_effect_once(desk: Desk, deliver: Deliver, alpha: Municipality) -> None:
    first = deliver(alpha, "please")
    _run()
    _run()
    assert desk.effects(alpha) == ["please"]
    assert _states(alpha) == {first: InboundState.APPLIED}


def test_each_tenant_gets_its_own(
    desk: Desk, deliver: Deliver, alpha: Municipality, beta: Municipality
) -> None:
    deliver(alpha, "for alpha")
    deliver(beta, "for beta")
    _run()
    assert sorted(desk.applied) == [("alpha", "for alpha"), ("beta", "for beta")]
    assert desk.effects(alpha) == ["for alpha"]
    assert desk.effects(beta) == ["for beta"]


def test_messages_of_a_case_take_effect_in_their_order(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id = new_id()
    for sequence in (3, 1, 5, 2, 4):
        deliver(alpha, f"step {sequence}", sequence=sequence, case_id=case_id)
    _run()
    assert desk.effects(alpha) == [f"step {number}" for number in range(1, 6)]


def test_a_gap_holds_what_follows_until_it_is_filled(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id = new_id()
    second = deliver(alpha, "second", sequence=2, case_id=case_id)
    third = deliver(alpha, "third", sequence=3, case_id=case_id)
    other = deliver(alpha, "another case")
    _run()
    assert desk.effects(alpha) == ["another case"]
    assert _states(alpha) == {
        second: InboundState.HELD,
        third: InboundState.HELD,
        other: InboundState.APPLIED,
    }
    with tenant_scope(alpha):
        held = selectors.waiting(states=[InboundState.HELD])
        assert [(each.case_sequence, each.waits_for) for each in held] == [(2, 1), (3, 1)]
    deliver(alpha, "first", sequence=1, case_id=case_id)
    _run()
    assert desk.effects(alpha) == ["another case", "first", "second", "third"]


def test_what_waits_is_listed_in_parts(deliver: Deliver, alpha: Municipality) -> None:
    ids = sorted(deliver(alpha, f"{number}", sequence=number) for number in range(2, 9))
    _run()
    with tenant_scope(alpha):
        parts, last = [], None
        while part := selectors.waiting(after=last, limit=3):
            parts.append([each.message_id for each in part])
            last = part[-1]
        assert selectors.message(message_id=ids[0], origin="nord").waits_for == 1
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [each for part in parts for each in part] == ids


def test_many_held_messages_all_follow(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "BATCH_SIZE", 3)
    case_id = new_id()
    for sequence in range(10, 0, -1):
        deliver(alpha, f"{sequence:02}", sequence=sequence, case_id=case_id)
    _run()
    assert desk.effects(alpha) == [f"{number:02}" for number in range(1, 11)]


def test_two_senders_of_one_case_do_not_wait_for_each_other(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id, other = new_id(), Office("sachsen")
    deliver(alpha, "waits", sequence=2, case_id=case_id)
    deliver(alpha, "goes", sequence=1, case_id=case_id, sender=other)
    _run()
    assert desk.effects(alpha) == ["goes"]


def test_a_message_that_can_never_work_is_parked_and_answered(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    desk.faults["bad"] = MessageUnprocessable("PAYLOAD_MALFORMED", "This is no request.")
    case_id = new_id()
    bad = deliver(alpha, "bad", case_id=case_id)
    after = deliver(alpha, "after", sequence=2, case_id=case_id)
    good = deliver(alpha, "good")
    _run()
    assert desk.effects(alpha) == ["good"]
    assert _states(alpha) == {
        bad: InboundState.PARKED,
        after: InboundState.HELD,
        good: InboundState.APPLIED,
    }
    (answer,) = desk.posted
    assert (answer.kind, answer.recipient, answer.case_sequence) == (
        MessageKind.PROCESSING_FAILURE,
        SENDER.id,
        0,
    )
    notice = read_processing_failure(answer.payload)
    assert (notice.message_id, notice.reason, notice.text) == (
        bad,
        "PAYLOAD_MALFORMED",
        "This is no request.",
    )
    with tenant_scope(alpha):
        alarm = Alarm.objects.get(code=states.MESSAGE_PARKED)
        assert alarm.message_id == bad
        parked = selectors.waiting(states=[InboundState.PARKED])
        assert [(each.reason, each.detail) for each in parked] == [
            ("PAYLOAD_MALFORMED", "This is no request.")
        ]


def test_a_failure_notice_that_fails_is_not_answered(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    desk.faults["notice"] = MessageUnprocessable("CASE_UNKNOWN", "No such case.")
    notice = deliver(alpha, "notice", sequence=0, kind=MessageKind.PROCESSING_FAILURE)
    _run()
    assert _states(alpha) == {notice: InboundState.PARKED}
    assert desk.posted == []


def test_a_letter_that_cannot_be_opened_is_parked(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "seal_private_key", lambda _kid: Office("krz").sealing)
    sealed = deliver(alpha, "unreadable")
    _run()
    assert _states(alpha) == {sealed: InboundState.PARKED}
    assert [read_processing_failure(each.payload).reason for each in desk.posted] == ["SEAL_BROKEN"]


@pytest.mark.parametrize("fault", [RuntimeError("bug"), IntegrityError("twice")])
def test_any_other_fault_is_tried_again_later(
    desk: Desk, deliver: Deliver, alpha: Municipality, fault: Exception
) -> None:
    desk.faults["flaky"] = fault
    flaky = deliver(alpha, "flaky")
    good = deliver(alpha, "good")
    _run()
    assert _states(alpha) == {flaky: InboundState.PENDING, good: InboundState.APPLIED}
    with tenant_scope(alpha):
        row = InboundMessage.objects.get(id=flaky)
        assert (row.attempts, row.reason) == (1, type(fault).__name__)
        assert row.due_at > clock.now()
    desk.faults.clear()
    _make_due(alpha)
    _run()
    assert desk.effects(alpha) == ["good", "flaky"]
    assert desk.posted == []


def test_what_came_while_the_clock_was_fast_does_not_wait_for_that_hour(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    deliver(alpha, "from the future")
    with tenant_scope(alpha):
        InboundMessage.objects.update(due_at=clock.in_future(hours=1))
    _run()
    assert desk.effects(alpha) == ["from the future"]


def test_a_delay_that_a_fast_clock_has_set_is_no_delay(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    desk.faults["tried"] = RuntimeError("once")
    deliver(alpha, "tried")
    with clock.frozen(clock.in_future(hours=1)):
        _run()
    with tenant_scope(alpha):
        assert InboundMessage.objects.get().attempts == 1
    desk.faults.clear()
    _run()
    assert desk.effects(alpha) == ["tried"]


def test_a_fault_that_never_ends_is_parked_for_an_operator(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "MAX_ATTEMPTS", 3)
    desk.faults["bug"] = RuntimeError("always")
    bug = deliver(alpha, "bug")
    for _ in range(3):
        _make_due(alpha)
        _run()
    assert _states(alpha) == {bug: InboundState.PARKED}
    assert desk.posted == []


def test_an_effect_and_its_mark_are_never_apart(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    """The second message of a batch fails: the first one's effect is undone and made once more."""
    desk.faults["bad"] = RuntimeError("bug")
    deliver(alpha, "good")
    deliver(alpha, "bad")
    _run()
    assert desk.effects(alpha) == ["good"]
    assert desk.applied == [("alpha", "good"), ("alpha", "good")]


def test_a_number_that_was_used_before_is_parked(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id = new_id()
    deliver(alpha, "first", case_id=case_id)
    _run()
    again = deliver(alpha, "first again", case_id=case_id)
    deliver(alpha, "second", sequence=2, case_id=case_id)
    _run()
    assert desk.effects(alpha) == ["first", "second"]
    assert _states(alpha)[again] == InboundState.PARKED


def test_a_retried_message_takes_along_what_waited_for_it(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    desk.faults["bad"] = MessageUnprocessable("PAYLOAD_MALFORMED", "No.")
    case_id = new_id()
    bad = deliver(alpha, "bad", case_id=case_id)
    deliver(alpha, "after", sequence=2, case_id=case_id)
    _run()
    desk.faults.clear()
    with tenant_scope(alpha):
        services.retry(origin="nord", message_id=bad, by=OPERATOR)
        told = TrailEntry.objects.get(event=AuditEvent.INBOX_MESSAGE_RETRIED)
        assert (told.tenant_role, told.subject) == (alpha.tenant_role, str(case_id))
    _run()
    assert desk.effects(alpha) == ["bad", "after"]


def test_a_discarded_message_lets_the_next_one_go(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    desk.faults["bad"] = MessageUnprocessable("PAYLOAD_MALFORMED", "No.")
    case_id = new_id()
    bad = deliver(alpha, "bad", case_id=case_id)
    deliver(alpha, "after", sequence=2, case_id=case_id)
    _run()
    with tenant_scope(alpha):
        services.discard(origin="nord", message_id=bad, why="Papier kam per Post", by=OPERATOR)
        with pytest.raises(services.NotParked):
            services.retry(origin="nord", message_id=bad, by=OPERATOR)
        assert TrailEntry.objects.get(event=AuditEvent.INBOX_MESSAGE_DISCARDED).subject == str(
            case_id
        )
    _run()
    assert desk.effects(alpha) == ["after"]
    assert _states(alpha)[bad] == InboundState.DISCARDED


def test_the_sender_learns_of_a_discarded_message_that_only_failed_here(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "MAX_ATTEMPTS", 1)
    desk.faults["bad"] = RuntimeError("bug")
    bad = deliver(alpha, "bad")
    _run()
    assert desk.posted == []  # an operator may mend it
    with tenant_scope(alpha):
        services.discard(origin="nord", message_id=bad, why="Test", by=OPERATOR)
    (answer,) = desk.posted
    notice = read_processing_failure(answer.payload)
    assert (notice.message_id, notice.reason) == (bad, "DISCARDED")


def test_two_workers_never_apply_one_tenant_at_the_same_time(
    desk: Desk,
    deliver: Deliver,
    alpha: Municipality,
    beta: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wait(message: Message) -> None:
        if message.payload == b"slow":
            inside.set()
            assert go_on.wait(20)

    desk.hook = wait
    deliver(alpha, "slow")

    def other_worker() -> None:
        with as_process("worker"):
            processing.apply_batch(alpha.identity)

    worker = threading.Thread(target=other_worker)
    worker.start()
    assert inside.wait(20)
    deliver(alpha, "waits for the first worker")
    deliver(beta, "does not wait")
    _run()
    assert desk.effects(beta) == ["does not wait"]
    assert ("alpha", "waits for the first worker") not in desk.applied
    go_on.set()
    worker.join(20)
    _run()
    assert desk.effects(alpha) == ["slow", "waits for the first worker"]


def test_a_suspended_municipality_waits(
    desk: Desk,
    deliver: Deliver,
    alpha: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    waiting = deliver(alpha, "later")
    with as_process("owner"):
        Municipality.objects.filter(pk=alpha.pk).update(state=MunicipalityState.SUSPENDED)
    _run()
    assert _states(alpha) == {waiting: InboundState.PENDING}


def test_a_tenant_cannot_change_an_envelope(deliver: Deliver, alpha: Municipality) -> None:
    deliver(alpha, "evidence")
    with (
        tenant_scope(alpha),
        pytest.raises(Exception, match="permission denied"),
        transaction.atomic(),
    ):
        InboundMessage.objects.update(envelope=b"forged")


def test_a_tenant_sees_its_own_messages_only(
    deliver: Deliver, alpha: Municipality, beta: Municipality
) -> None:
    deliver(alpha, "alpha's")
    with tenant_scope(beta):
        assert not InboundMessage.objects.exists()


def test_the_budget_ends_a_task_and_says_so(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    deliver(alpha, "one")
    assert processing.apply_due_messages(budget=timedelta()) is True


def test_what_handlers_tell_the_trail_is_written_with_the_effect(
    alpha: Municipality, deliver: Callable[..., UUID], desk: Desk
) -> None:
    good, bad = deliver(alpha, "good"), deliver(alpha, "bad")
    desk.faults["bad"] = MessageUnprocessable("NONSENSE", "no")
    processing.apply_due_messages(budget=timedelta(seconds=20))
    with tenant_scope(alpha):
        told = TrailEntry.objects.filter(event=AuditEvent.CASE_MESSAGE_RECEIVED)
        assert list(told.values_list("subject", flat=True)) == [str(good)]
    assert bad != good

"""Messages that come twice, late, crossed, or from somebody who has no part in the case."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from centre.audit import selectors as audit
from federation.outbox.states import DeliveryState
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import MessageKind
from tenants.cases import payloads, selectors, services, wire
from tenants.cases.graph import Side, State
from tenants.cases.models import Case, CaseEvent, CaseMessage
from tenants.cases.replay import replay
from tests.factories.requests import request

Town = Any
Postman = Any


@pytest.fixture
def towns(a: Town, b: Town) -> tuple[Town, Town]:
    return a, b


def both(a: Town, b: Town, case_id: UUID) -> tuple[str, str]:
    for town in (a, b):
        town.check_log(case_id)
    return a.case(case_id).state, b.case(case_id).state


def test_a_request_that_comes_twice_has_one_effect(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    post.bring(letter)
    post.bring(letter)
    with b.scope():
        assert Case.objects.count() == 1
        assert CaseMessage.objects.count() == 2
    post.until_quiet()
    assert b.case(letter.case_id).version == 1


def test_every_message_may_come_twice(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    [letter] = post.waiting(b)
    post.bring(letter)
    version = a.case(case_id).version
    post.bring(letter)
    assert a.case(case_id).version == version


def test_an_acceptance_that_meets_a_withdrawal(
    a: Town, b: Town, post: Postman, case_id: UUID
) -> None:
    with a.scope():
        services.withdraw(**a.act(case_id), reason="deferred")
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    post.until_quiet()
    assert both(a, b, case_id) == (State.WITHDRAWING, State.WITHDRAWING)
    with a.scope():
        view = selectors.case_view(case_id=case_id, by=a.by)
    assert view.other_reference == "V-1"
    assert "überholt" in view.timeline.rows[-1].label


def test_a_refusal_that_meets_a_withdrawal(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.refuse(**b.act(case_id), reason="duplicate")
    with a.scope():
        services.withdraw(**a.act(case_id), reason="mistake")
    post.until_quiet()
    assert both(a, b, case_id) == (State.WITHDRAWING, State.WITHDRAWING)
    with b.scope():
        services.confirm_withdrawal(**b.act(case_id))
    post.until_quiet()
    assert both(a, b, case_id) == (State.WITHDRAWN, State.WITHDRAWN)


def test_a_completion_that_meets_a_withdrawal_wins(
    a: Town, b: Town, post: Postman, case_id: UUID
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    post.until_quiet()
    with b.scope():
        services.complete(**b.act(case_id), result="paid_here", collected_cents=33_750)
    with a.scope():
        services.withdraw(**a.act(case_id), reason="paid")
    post.until_quiet()
    assert both(a, b, case_id) == (State.COMPLETED, State.COMPLETED)
    assert a.case(case_id).collected_cents == 33_750


def test_a_late_answer_does_not_answer_the_next_query(
    a: Town, b: Town, post: Postman, case_id: UUID
) -> None:
    with b.scope():
        services.ask(**b.act(case_id), topic="title", text="Wann zugestellt?")
    post.until_quiet()
    with a.scope():
        services.answer(**a.act(case_id), text="Am 5. März.")
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        services.ask(**b.act(case_id), topic="address", text="Welche Hausnummer?")
    post.until_quiet()
    assert both(a, b, case_id) == (State.ACCEPTED_QUERIED, State.ACCEPTED_QUERIED)
    with a.scope():
        assert selectors.case_view(case_id=case_id, by=a.by).open_query == "Welche Hausnummer?"


def test_a_registration_before_the_receipt_and_the_receipt_before_its_time(
    a: Town, b: Town, post: Postman
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    post.bring(letter)
    [registration] = post.waiting(b)
    post.bring(registration)
    assert a.case(case.id).state == State.REGISTERED
    post.tell(a, [letter], DeliveryState.EXPIRED)
    post.tell(a, [letter], DeliveryState.RELAYED)
    post.tell(a, [letter], DeliveryState.RELAYED)
    assert both(a, b, case.id) == (State.REGISTERED, State.REGISTERED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"case_id": uuid4()}, "CASE_UNKNOWN"),
        ({"sender": uuid4()}, "SENDER_NOT_PARTY"),
        ({"payload": b"\xff"}, "PAYLOAD_INVALID"),
        ({"schema_version": 9}, "PAYLOAD_INVALID"),
        (
            {
                "kind": MessageKind.WITHDRAWAL_CONFIRMATION,
                "payload": wire.write(payloads.WithdrawalConfirmation()),
            },
            "MESSAGE_UNEXPECTED",
        ),
        (
            {"kind": MessageKind.CLOSURE, "payload": wire.write(payloads.Closure())},
            "MESSAGE_UNEXPECTED",
        ),
    ],
)
def test_what_cannot_be_processed_says_why_and_changes_nothing(
    towns: tuple[Town, Town], post: Postman, case_id: UUID, change: dict[str, Any], reason: str
) -> None:
    a, b = towns
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    [letter] = post.waiting(b)
    with pytest.raises(MessageUnprocessable) as refused:
        post.bring(replace(letter, message_id=uuid4(), **change))
    assert refused.value.reason == reason
    assert a.case(case_id).state == State.REGISTERED


def test_a_request_with_a_wrong_reference_or_anothers_case_is_refused(
    a: Town, b: Town, c: Town, post: Postman, case_id: UUID
) -> None:
    with c.scope():
        services.submit_request(draft=request(to=b.id), by=c.by)
    [letter] = post.waiting(c)
    with pytest.raises(MessageUnprocessable, match="another case"):
        post.bring(replace(letter, case_id=case_id))
    wrong = payloads.AssistanceRequest(case_reference="1-2-3", request=request(to=b.id))
    with pytest.raises(MessageUnprocessable, match="reference"):
        post.bring(replace(letter, payload=wire.write(wrong)))


def test_a_request_that_could_not_be_processed_is_undeliverable(
    a: Town, b: Town, post: Postman
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    post.tell(a, [letter], DeliveryState.RELAYED)
    assert a.case(case.id).state == State.DELIVERED
    for _ in range(2):
        post.bring(post.failure(letter))
    assert a.case(case.id).state == State.UNDELIVERABLE
    with a.scope():
        assert CaseEvent.objects.filter(case_id=case.id, text="Nicht lesbar.").count() == 1
        log = selectors.message_log(a.case(case.id))
    assert replay(Side.REQUESTING, log).state is State.UNDELIVERABLE


def test_a_failure_told_by_a_stranger_is_ignored(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    post.bring(replace(post.failure(letter), sender=uuid4()))
    assert a.case(case.id).state == State.SUBMITTED


def test_a_void_changes_nothing(a: Town, post: Postman, b: Town, case_id: UUID) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    [letter] = post.waiting(b)
    post.bring(replace(letter, kind=MessageKind.VOID, payload=b""))
    assert a.case(case_id).state == State.REGISTERED


def test_the_timeline_is_only_ever_added_to(a: Town, case_id: UUID) -> None:
    with a.scope(), pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
        CaseEvent.objects.filter(case_id=case_id).update(label="anders")
    with a.scope():
        assert audit.verify(a.municipality.tenant_role).intact
    assert connection.in_atomic_block

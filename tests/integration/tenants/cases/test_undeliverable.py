"""Requests that reach nobody: corrected, given up, or arrived after all."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from federation.outbox.models import Letter
from federation.outbox.states import DeliveryState
from federation.protocol.messages import MessageKind
from tenants.cases import selectors, services
from tenants.cases.errors import NotResendable, StepNotPossible
from tenants.cases.graph import State
from tenants.cases.models import CaseMessage
from tests.factories.requests import request

pytestmark = pytest.mark.usefixtures("committed_db")
Town = Any
Postman = Any
Die = Callable[[UUID, str], None]


@pytest.fixture
def lost(a: Town, b: Town, post: Postman, die: Die) -> UUID:
    """A request of A whose letter to B died."""
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    die(letter.message_id, "expired")
    post.tell(a, [letter], DeliveryState.EXPIRED, "GONE")
    assert a.case(case.id).state == State.UNDELIVERABLE
    assert a.case(case.id).trouble == "GONE"
    found: UUID = case.id
    return found


def test_corrected_and_sent_to_another_authority(
    a: Town, b: Town, c: Town, post: Postman, lost: UUID
) -> None:
    with a.scope():
        services.resubmit(**a.act(lost), draft=request(to=c.id, own_reference="neu"))
        kinds = list(Letter.objects.filter(recipient=b.id).values_list("kind", "case_sequence"))
    assert sorted(kinds) == [("assistance_request", 1), (MessageKind.VOID, 1)]
    [letter] = post.waiting(a)
    assert (letter.recipient, letter.case_sequence) == (c.id, 1)
    post.until_quiet()
    assert a.case(lost).state == c.case(lost).state == State.REGISTERED
    assert c.case(lost).other_reference == "neu"
    assert a.case(lost).other_name == "Gammatal"
    a.check_log(lost)
    c.check_log(lost)


def test_sent_again_to_the_same_authority_takes_the_next_number(
    a: Town, b: Town, post: Postman, lost: UUID
) -> None:
    with a.scope():
        services.resubmit(**a.act(lost))
    [letter] = post.waiting(a)
    assert (letter.recipient, letter.case_sequence) == (b.id, 2)
    post.until_quiet()
    assert a.case(lost).state == b.case(lost).state == State.REGISTERED
    a.check_log(lost)


@pytest.mark.parametrize("reason", ["QUOTA_EXCEEDED", "RECIPIENT_DELETED"])
def test_nothing_is_sent_again_to_who_was_deleted(
    a: Town, b: Town, post: Postman, die: Die, reason: str
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    die(letter.message_id, "refused")
    post.tell(a, [letter], DeliveryState.REFUSED, reason)
    with a.scope():
        [way] = selectors.case_view(case_id=case.id, by=a.by).deliveries.rows
    assert way.can_resend is (reason != "RECIPIENT_DELETED")


def test_both_the_first_and_the_corrected_request_arrive(
    a: Town, b: Town, post: Postman, die: Die
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [first] = post.waiting(a)
    post.bring(first)  # and its receipt is lost
    die(first.message_id, "expired")
    post.tell(a, [first], DeliveryState.EXPIRED, "GONE")
    with a.scope():
        services.resubmit(**a.act(case.id), draft=request(to=b.id, own_reference="neu"))
    post.until_quiet()
    assert a.case(case.id).state == b.case(case.id).state == State.REGISTERED
    assert b.case(case.id).other_reference == "neu"
    with b.scope():
        view = selectors.case_view(case_id=case.id, by=b.by)
    assert view.request.own_reference == "neu"
    assert any("berichtigt" in entry.text for entry in view.timeline.rows)
    a.check_log(case.id)
    b.check_log(case.id)


def test_given_up_and_arrived_after_all_is_withdrawn(
    a: Town, b: Town, post: Postman, die: Die
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    die(letter.message_id, "expired")
    post.tell(a, [letter], DeliveryState.EXPIRED, "GONE")
    with a.scope():
        services.give_up(**a.act(case.id))
    assert a.case(case.id).closed_at is not None
    a.check_log(case.id)
    post.bring(letter)
    post.until_quiet()
    assert a.case(case.id).state == b.case(case.id).state == State.WITHDRAWING
    assert a.case(case.id).closed_at is None
    a.check_log(case.id)
    b.check_log(case.id)


def test_given_up_cannot_be_sent_again(a: Town, lost: UUID) -> None:
    with a.scope():
        services.give_up(**a.act(lost))
        with pytest.raises(StepNotPossible):
            services.resubmit(**a.act(lost))


def test_a_parked_answer_is_sent_again_by_the_clerk(
    a: Town, b: Town, post: Postman, die: Die
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with b.scope():
        services.accept(**b.act(case.id), own_reference="V-1")
    [letter] = post.waiting(b)
    die(letter.message_id, "parked")
    post.tell(b, [letter], DeliveryState.PARKED, "POISON")
    assert b.case(case.id).trouble == "POISON"
    with b.scope():
        [delivery] = selectors.case_view(case_id=case.id, by=b.by).deliveries.rows[1:]
        assert (delivery.words, delivery.can_resend) == ("angehalten", True)
        assert selectors.counts().by_tab["undeliverable"] == 1
        services.resend_message(case_id=case.id, message_id=letter.message_id, by=b.by)
        assert b.case(case.id).trouble == ""
        with pytest.raises(NotResendable):
            services.resend_message(case_id=case.id, message_id=letter.message_id, by=b.by)
    post.bring(letter)
    post.tell(b, [letter], DeliveryState.RELAYED)
    assert a.case(case.id).state == State.ACCEPTED
    with b.scope():
        assert not CaseMessage.objects.filter(outcome="failed").exists()


def test_message_to_an_absent_authority_is_not_offered_again(
    a: Town, b: Town, post: Postman, die: Die, gone: Callable[[Town], None]
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    [letter] = post.waiting(a)
    die(letter.message_id, "refused")
    post.tell(a, [letter], DeliveryState.REFUSED, "RECIPIENT_UNKNOWN")

    def resendable() -> list[bool]:
        with a.scope():
            view = selectors.case_view(case_id=case.id, by=a.by)
        return [each.can_resend for each in view.deliveries.rows]

    assert resendable() == [True]
    gone(b)
    assert resendable() == [False]

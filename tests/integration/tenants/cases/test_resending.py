"""Letters whose time ran out before they were handed over are written anew."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from federation.outbox.models import DeadLetter, Letter
from federation.outbox.states import DeliveryState
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import MessageKind
from tenants.cases import selectors, services
from tenants.cases.errors import NotResendable
from tenants.cases.graph import State
from tenants.cases.models import CaseMessage
from tenants.cases.services import resending
from tenants.documents import services as documents
from tests.factories.requests import request

pytestmark = pytest.mark.usefixtures("committed_db")
Town = Any
Postman = Any
Die = Callable[..., None]


@pytest.fixture
def expire(post: Postman, die: Die) -> Callable[..., UUID]:
    """Return the function that lets the time of a town's only waiting letter run out."""

    def expire(town: Town, reason: str = "NEVER_SENT") -> UUID:
        [letter] = post.waiting(town)
        die(letter.message_id, "expired", reason)
        post.tell(town, [letter], DeliveryState.EXPIRED, reason)
        found: UUID = letter.message_id
        return found

    return expire


def states(a: Town, b: Town, case_id: UUID) -> tuple[str, str]:
    """Return where the case stands at both sides, which their logs tell as well."""
    for town in (a, b):
        town.check_log(case_id)
    return a.case(case_id).state, b.case(case_id).state


def resendable(town: Town, case_id: UUID) -> list[UUID]:
    with town.scope():
        rows = selectors.case_view(case_id=case_id, by=town.by).deliveries.rows
    return [each.message_id for each in rows if each.can_resend]


def test_acceptance_whose_time_ran_out_is_written_anew(
    a: Town, b: Town, post: Postman, case_id: UUID, expire: Callable[..., UUID]
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    assert resendable(b, case_id) == [lost]
    with b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
        view = selectors.case_view(case_id=case_id, by=b.by)
        assert not DeadLetter.objects.filter(resolution="").exists()
    assert [each.words for each in view.deliveries.rows[-2:]] == [
        "neu geschrieben",
        "wartet auf Versand",
    ]
    assert view.trouble == ""
    with b.scope():
        before = {"deliveries": view.deliveries.rows[-1].message_id}
        earlier = selectors.case_view(case_id=case_id, by=b.by, before=before).deliveries.rows
    assert earlier[-1].words == "neu geschrieben"
    assert resendable(b, case_id) == []
    with b.scope():
        sent = Letter.objects.filter(case_id=case_id, recipient=a.id).exclude(id=lost)
        # The lost letter's place in the order of the case is filled, so the new one is taken up.
        assert set(sent.values_list("kind", "case_sequence")) >= {
            (MessageKind.VOID, 2),
            (MessageKind.ACCEPTANCE, 3),
        }
    post.until_quiet()
    assert states(a, b, case_id) == (State.ACCEPTED, State.ACCEPTED)
    with pytest.raises(NotResendable), b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)


def test_place_in_the_order_is_filled_again_where_its_void_expired_as_well(
    a: Town, b: Town, case_id: UUID, expire: Callable[..., UUID], die: Die
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    with b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
        void = Letter.objects.get(case_id=case_id, recipient=a.id, kind=MessageKind.VOID)
    die(void.id, "expired", "NEVER_SENT")
    lost = expire(b)
    with b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
        assert not DeadLetter.objects.filter(resolution="").exists()
        waiting = Letter.objects.filter(case_id=case_id, recipient=a.id, lseq=None)
        assert sorted(
            waiting.exclude(kind="registration").values_list("case_sequence", "kind")
        ) == [
            (2, MessageKind.VOID),
            (3, MessageKind.VOID),
            (4, MessageKind.ACCEPTANCE),
        ]


def test_query_that_is_written_anew_is_the_one_that_is_answered(
    a: Town, b: Town, post: Postman, case_id: UUID, expire: Callable[..., UUID]
) -> None:
    with b.scope():
        paper = documents.attach(
            case_id=case_id,
            reference="E-1",
            name="Skizze.pdf",
            chunks=[b"%PDF-1.7 Skizze"],
            by=b.by,
        )
        services.ask(**b.act(case_id), topic="address", text="Wo?", document_ids=[paper.id])
    lost = expire(b)
    with b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
    post.until_quiet()
    assert states(a, b, case_id) == (State.QUERIED, State.QUERIED)
    with a.scope():
        view = selectors.case_view(case_id=case_id, by=a.by)
        assert [each.name for each in view.documents.rows] == ["Skizze.pdf"]
        services.answer(**a.act(case_id), text="Hinten links.")
    post.until_quiet()
    assert states(a, b, case_id) == (State.REGISTERED, State.REGISTERED)


def test_what_failed_for_the_want_of_it_is_written_anew_with_it(
    a: Town, b: Town, post: Postman, case_id: UUID, expire: Callable[..., UUID]
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    with b.scope():
        services.complete(**b.act(case_id), result="fruitless_seizure")
    [letter] = post.waiting(b)
    with pytest.raises(MessageUnprocessable):
        post.bring(letter)
    post.tell(b, [letter], DeliveryState.RELAYED)
    post.bring(post.failure(letter, "MESSAGE_UNEXPECTED"))
    assert b.case(case_id).trouble == "MESSAGE_UNEXPECTED"
    assert a.case(case_id).state == State.REGISTERED
    assert resendable(b, case_id) == [lost]
    with b.scope():
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
        assert not CaseMessage.objects.filter(outcome="failed").exists()
    post.until_quiet()
    assert states(a, b, case_id) == (State.COMPLETED, State.COMPLETED)
    assert b.case(case_id).trouble == ""


def test_trouble_lasts_until_the_last_failed_letter_is_sent_again(
    b: Town, post: Postman, case_id: UUID, die: Die
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        services.ask(**b.act(case_id), topic="other", text="Wo wohnt sie jetzt?")
    letters = post.waiting(b)
    assert len(letters) == 2
    for letter in letters:
        die(letter.message_id, "parked")
    post.tell(b, letters, DeliveryState.PARKED, "KILLS_CALLS")
    for letter, trouble in zip(letters, ("KILLS_CALLS", ""), strict=True):
        assert b.case(case_id).trouble == "KILLS_CALLS"
        with b.scope():
            services.resend_message(case_id=case_id, message_id=letter.message_id, by=b.by)
        assert b.case(case_id).trouble == trouble


def test_letter_that_may_have_arrived_is_not_written_anew(
    b: Town, case_id: UUID, expire: Callable[..., UUID]
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b, "NO_RECEIPT")
    assert resendable(b, case_id) == []
    with b.scope(), pytest.raises(NotResendable):
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
    with b.scope():
        # A refusal leaves nothing behind: the operator still sees the dead letter.
        assert DeadLetter.objects.filter(resolution="", message_id=lost).exists()


def test_nothing_is_written_anew_past_a_later_letter_on_its_way(
    b: Town, post: Postman, case_id: UUID, expire: Callable[..., UUID]
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    with b.scope():
        services.complete(**b.act(case_id), result="fruitless_seizure")
    assert resendable(b, case_id) == []
    with b.scope(), pytest.raises(NotResendable):
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)


def test_request_whose_time_ran_out_is_corrected_instead(
    a: Town, b: Town, expire: Callable[..., UUID]
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    lost = expire(a)
    assert resendable(a, case.id) == []
    with a.scope(), pytest.raises(NotResendable):
        services.resend_message(case_id=case.id, message_id=lost, by=a.by)


def test_withdrawal_of_a_request_that_never_arrived_is_not_written_anew(
    a: Town, b: Town, post: Postman, die: Die
) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
        services.withdraw(**a.act(case.id), reason="mistake")
    letters = post.waiting(a)
    for each in letters:
        die(each.message_id, "expired", "NEVER_SENT")
    post.tell(a, letters, DeliveryState.EXPIRED, "NEVER_SENT")
    assert a.case(case.id).state == State.GIVEN_UP
    assert resendable(a, case.id) == []
    with a.scope(), pytest.raises(NotResendable):
        services.resend_message(case_id=case.id, message_id=letters[1].message_id, by=a.by)


@pytest.fixture
def put_back(dsn: Callable[[str], str]) -> Callable[[UUID], None]:
    """Return the function with which an operator sends a letter again, as it is.

    He can where it died by a clock that was fast.
    """

    def put_back(message_id: UUID) -> None:
        with psycopg.connect(dsn("owner")) as connection:
            connection.execute(
                "UPDATE outbox_deadletter SET resolution = 'resent' WHERE message_id = %s",
                [message_id],
            )
            connection.execute(
                "UPDATE outbox_letter SET lseq = NULL, expires_at = now() + interval '1 day'"
                " WHERE id = %s",
                [message_id],
            )

    return put_back


def test_letter_that_an_operator_has_sent_again_is_not_written_anew(
    a: Town,
    b: Town,
    post: Postman,
    case_id: UUID,
    expire: Callable[..., UUID],
    put_back: Callable[[UUID], None],
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    put_back(lost)
    assert resendable(b, case_id) == []
    with b.scope(), pytest.raises(NotResendable):
        services.resend_message(case_id=case_id, message_id=lost, by=b.by)
    post.carried.discard(lost)
    post.until_quiet()
    assert states(a, b, case_id) == (State.ACCEPTED, State.ACCEPTED)
    assert b.case(case_id).trouble == ""


def test_operator_who_sends_a_letter_again_at_the_same_time_wins(
    b: Town,
    case_id: UUID,
    expire: Callable[..., UUID],
    put_back: Callable[[UUID], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    lost = expire(b)
    cancel = resending.cancel_letter

    def too_late(message: CaseMessage, work: Any) -> None:
        put_back(message.id)
        cancel(message, work)

    monkeypatch.setattr(resending, "cancel_letter", too_late)
    with b.scope():
        with pytest.raises(NotResendable):
            services.resend_message(case_id=case_id, message_id=lost, by=b.by)
        assert CaseMessage.objects.filter(case_id=case_id, repeats=lost).count() == 0

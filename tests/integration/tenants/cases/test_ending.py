"""Cases whose other authority has left the directory come to an end at this side."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from centre.kernel import clock
from federation.outbox.models import DeadLetter
from federation.outbox.states import DeliveryState
from tenants.cases import selectors, services
from tenants.cases.errors import (
    CaseChanged,
    InputInvalid,
    NotAllowed,
    OtherAuthorityPresent,
    StepNotPossible,
)
from tenants.cases.graph import State, Verb
from tenants.cases.models import Case, CaseMessage
from tenants.cases.selectors import Filters
from tenants.clerks.roles import Role
from tests.factories.clerks import clerk
from tests.factories.requests import request

pytestmark = pytest.mark.usefixtures("committed_db")
Town = Any
Postman = Any
Die = Callable[[UUID, str], None]
Gone = Callable[[Town], None]


def accepted(b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
    post.until_quiet()


def test_requesting_side_ends_a_case_alone(
    a: Town, b: Town, post: Postman, case_id: UUID, gone: Gone
) -> None:
    accepted(b, post, case_id)
    gone(b)
    with a.scope():
        [step] = [
            each for each in selectors.case_view(case_id=case_id, by=a.by).steps if each.alone
        ]
        assert step.verb is Verb.END_REQUEST
        services.end_alone(**a.act(case_id), text="Gammastadt ist Nachfolgerin.")
        view = selectors.case_view(case_id=case_id, by=a.by)
    assert (view.state, view.steps, view.absence) == (State.CLOSED, (), None)
    assert view.closed_at is not None
    assert view.timeline.rows[-1].label == "Vorgang ohne die andere Behörde abgeschlossen"
    assert view.timeline.rows[-1].text == "Gammastadt ist Nachfolgerin."
    assert post.waiting(a) == []
    a.check_log(case_id)


def test_requested_side_ends_a_case_alone(
    a: Town, b: Town, post: Postman, case_id: UUID, gone: Gone
) -> None:
    accepted(b, post, case_id)
    gone(a)
    with b.scope():
        services.end_alone(**b.act(case_id), text="Der Anspruch ist erloschen.")
    assert b.case(case_id).state == State.CLOSED
    assert post.waiting(b) == []
    b.check_log(case_id)


def test_withdrawal_that_nobody_can_confirm_comes_to_an_end(
    a: Town, b: Town, post: Postman, case_id: UUID, gone: Gone, die: Die
) -> None:
    with a.scope():
        services.withdraw(**a.act(case_id), reason="paid")
    [letter] = post.waiting(a)
    die(letter.message_id, "refused")
    post.tell(a, [letter], DeliveryState.REFUSED, "RECIPIENT_DELETED")
    assert a.case(case_id).trouble == "RECIPIENT_DELETED"
    gone(b)
    with a.scope():
        services.end_alone(**a.act(case_id), text="Telefonisch geklärt.")
        # The dead letter waits for nobody, neither here nor on the operator's list.
        assert not DeadLetter.objects.filter(resolution="").exists()
        assert not CaseMessage.objects.filter(outcome="failed").exists()
    assert (a.case(case_id).state, a.case(case_id).trouble) == (State.CLOSED, "")
    a.check_log(case_id)


def test_letter_that_dies_after_the_end_alone_troubles_nobody(
    a: Town, b: Town, post: Postman, case_id: UUID, gone: Gone, die: Die
) -> None:
    with a.scope():
        services.withdraw(**a.act(case_id), reason="paid")
    gone(b)
    with a.scope():
        services.end_alone(**a.act(case_id), text="Telefonisch geklärt.")
    [letter] = post.waiting(a)
    die(letter.message_id, "expired")
    post.tell(a, [letter], DeliveryState.EXPIRED, "NEVER_SENT")
    with a.scope():
        view = selectors.case_view(case_id=case_id, by=a.by)
    assert (view.state, view.trouble) == (State.CLOSED, "")
    note = view.timeline.rows[-1]
    assert note.label == "Eine Nachricht konnte nicht zugestellt werden"
    assert note.by == "automatisch"
    assert not any(each.can_resend for each in view.deliveries.rows)
    a.check_log(case_id)


def test_nobody_ends_a_case_alone_while_the_other_authority_is_there(
    a: Town, b: Town, case_id: UUID
) -> None:
    for town in (a, b):
        with town.scope():
            assert not any(
                each.alone for each in selectors.case_view(case_id=case_id, by=town.by).steps
            )
            with pytest.raises(OtherAuthorityPresent):
                services.end_alone(**town.act(case_id), text="Mag nicht mehr.")
        assert town.case(case_id).state == State.REGISTERED


def test_end_alone_needs_words_the_newest_state_and_a_right(
    a: Town, b: Town, case_id: UUID, gone: Gone
) -> None:
    gone(b)
    with a.scope():
        reader = clerk("leser", role=Role.READER).actor
        with pytest.raises(InputInvalid):
            services.end_alone(**a.act(case_id), text=" ")
        with pytest.raises(CaseChanged):
            services.end_alone(**a.act(case_id) | {"version": 0}, text="Geklärt.")
        with pytest.raises(NotAllowed):
            services.end_alone(**a.act(case_id) | {"by": reader}, text="Geklärt.")
        services.end_alone(**a.act(case_id), text="Geklärt.")
        with pytest.raises(StepNotPossible):
            services.end_alone(**a.act(case_id), text="Geklärt.")


def test_request_under_way_is_not_ended_alone(a: Town, b: Town, gone: Gone) -> None:
    """It arrives or fails, and failed it can be given up or sent to another authority."""
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    gone(b)
    with a.scope(), pytest.raises(StepNotPossible):
        services.end_alone(**a.act(case.id), text="Geklärt.")


def test_worklist_tells_what_only_this_side_can_end(
    a: Town, b: Town, c: Town, post: Postman, case_id: UUID, gone: Gone
) -> None:
    with a.scope():
        services.submit_request(draft=request(to=c.id), by=a.by)
    post.until_quiet()
    for town in (a, b):
        with town.scope():
            before = selectors.counts().by_tab["todo"]
            rows = selectors.worklist(filters=Filters(tab="todo")).rows
        assert len(rows) == before
        gone(a if town is b else b)
        with town.scope():
            rows = selectors.worklist(filters=Filters(tab="todo")).rows
            assert selectors.counts().by_tab["todo"] == len(rows)
        assert [(row.case_id, row.can_accept) for row in rows if row.ends_alone] == [
            (case_id, False)
        ]
    with a.scope():
        services.end_alone(**a.act(case_id), text="Geklärt.")
        assert selectors.counts().by_tab["todo"] == 0
        assert not selectors.worklist(filters=Filters(tab="todo")).rows


def test_late_and_troubled_cases_of_an_absent_authority_are_counted_once(
    a: Town, b: Town, post: Postman, case_id: UUID, gone: Gone
) -> None:
    accepted(b, post, case_id)
    gone(a)
    with b.scope():
        for change in ({"due_at": clock.in_future(days=-1)}, {"trouble": "POISON"}):
            Case.objects.filter(id=case_id).update(**change)
            assert selectors.counts().by_tab["todo"] == 1
            assert len(selectors.worklist(filters=Filters(tab="todo")).rows) == 1

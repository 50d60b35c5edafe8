"""The way of a request between two towns, step by step, seen from both sides."""

from typing import Any
from uuid import UUID

from centre.audit import selectors as audit
from tenants.cases import services
from tenants.cases.graph import State
from tenants.cases.models import CaseEvent
from tests.factories.requests import request
from tests.integration.tenants.cases.conftest import TOLD

# Fixtures' types; conftest files are no modules.
Town = Any
Postman = Any


def states(case_id: UUID, *towns: Town) -> list[str]:
    return [town.case(case_id).state for town in towns]


def test_submitted_delivered_registered(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    assert a.case(case.id).state == State.SUBMITTED
    post.bring_all(a)
    assert states(case.id, a, b) == [State.DELIVERED, State.REGISTERED]
    post.bring_all(b)
    assert states(case.id, a, b) == [State.REGISTERED, State.REGISTERED]
    ours, theirs = a.case(case.id), b.case(case.id)
    assert ours.reference == theirs.reference
    assert theirs.debtor == "Uhlenbrock, Ingo"
    assert theirs.total_cents == 33_750
    assert (ours.other_name, theirs.other_name) == ("Betadorf", "Alphastadt")
    assert theirs.other_reference == "20.3-4711/26"


def test_accepted_completed_closed(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1/26")
    post.until_quiet()
    assert states(case_id, a, b) == [State.ACCEPTED, State.ACCEPTED]
    assert a.case(case_id).other_reference == "V-1/26"
    with b.scope():
        services.complete(
            **b.act(case_id), result="paid_here", collected_cents=33_750, costs_cents=2_860
        )
    post.until_quiet()
    assert states(case_id, a, b) == [State.COMPLETED, State.COMPLETED]
    assert a.case(case_id).collected_cents == 33_750
    with a.scope():
        services.close(**a.act(case_id))
    post.until_quiet()
    assert states(case_id, a, b) == [State.CLOSED, State.CLOSED]
    assert b.case(case_id).closed_at is not None


def test_asked_and_answered_twice(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    for expected in (State.REGISTERED, State.ACCEPTED):
        with b.scope():
            services.ask(**b.act(case_id), topic="address", text="Stimmt die Hausnummer?")
        post.until_quiet()
        assert states(case_id, a, b) in (
            [State.QUERIED] * 2,
            [State.ACCEPTED_QUERIED] * 2,
        )
        with a.scope():
            services.answer(**a.act(case_id), text="Ja, 7 ist richtig.")
        post.until_quiet()
        assert states(case_id, a, b) == [expected] * 2
        if expected == State.REGISTERED:
            with b.scope():
                services.accept(**b.act(case_id), own_reference="V-1/26")
            post.until_quiet()


def test_refused_and_closed(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.refuse(**b.act(case_id), reason="moved_unknown", text="Seit Mai verzogen.")
    post.until_quiet()
    assert states(case_id, a, b) == [State.REFUSED] * 2
    assert a.case(case_id).reason == "moved_unknown"
    with a.scope():
        last = CaseEvent.objects.filter(case_id=case_id).order_by("at", "id").last()
        assert last is not None
        assert "unbekannt verzogen" in last.text
        services.close(**a.act(case_id))
    post.until_quiet()
    assert states(case_id, a, b) == [State.CLOSED] * 2


def test_withdrawn_and_confirmed(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with a.scope():
        services.withdraw(**a.act(case_id), reason="paid")
    post.until_quiet()
    assert states(case_id, a, b) == [State.WITHDRAWING] * 2
    with b.scope():
        services.confirm_withdrawal(**b.act(case_id), costs_cents=500)
    post.until_quiet()
    assert states(case_id, a, b) == [State.WITHDRAWN] * 2
    assert a.case(case_id).costs_cents == 500


def test_every_write_is_in_the_trail(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1/26")
        reference = b.case(case_id).reference
        told = [
            (entry.content["event"], entry.content["actor"]["kind"])
            for entry in audit.trail(subject=reference)
        ]
    assert set(told) == {
        ("case:request:received", "peer"),
        ("case:request:registered", "system"),
        ("case:request:accepted", "clerk"),
        ("case:delivery:changed", "system"),
    }
    with b.scope():
        assert audit.verify(b.municipality.tenant_role).intact


def test_every_service_is_watched() -> None:
    """`_trail_is_told` looks at all services that write, in every test of this folder."""
    written = {name for name in services.__all__ if name[0].islower()}
    assert written == TOLD.keys()

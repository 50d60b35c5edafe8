"""What clerks are told when a step is late, wrong or not theirs; and two clerks at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections

from tenants.cases import services
from tenants.cases.errors import (
    CaseChanged,
    CaseNotFound,
    InputInvalid,
    NotAllowed,
    StepNotPossible,
)
from tenants.cases.graph import State
from tenants.clerks.roles import Role
from tests.factories.clerks import clerk
from tests.factories.requests import request

Town = Any
Postman = Any


@pytest.mark.parametrize(
    ("verb", "wrong", "path"),
    [
        ("accept", {"own_reference": " "}, "own_reference"),
        ("refuse", {"reason": "no"}, "reason"),
        ("refuse", {"reason": "other"}, "text"),
        ("ask", {"topic": "title", "text": ""}, "text"),
        ("complete", {"result": "paid_here", "collected_cents": -1}, "collected_cents"),
        ("complete", {"result": ""}, "result"),
        ("withdraw", {"reason": "?"}, "reason"),
        ("confirm_withdrawal", {"costs_cents": 10**12}, "costs_cents"),
        ("close", {"text": "漢"}, "text"),
        ("answer", {"text": ""}, "text"),
    ],
)
def test_wrong_input_is_told_with_its_place(
    b: Town, case_id: UUID, verb: str, wrong: dict[str, Any], path: str
) -> None:
    with b.scope(), pytest.raises(InputInvalid) as refused:
        getattr(services, verb)(**b.act(case_id), **wrong)
    assert path in {fault.path for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("verb", "values"),
    [
        ("complete", {"result": "paid_here"}),
        ("confirm_withdrawal", {}),
        ("close", {}),
        ("withdraw", {"reason": "paid"}),
        ("answer", {"text": "Ja."}),
        ("give_up", {}),
    ],
)
def test_steps_that_are_not_possible_now(
    b: Town, case_id: UUID, verb: str, values: dict[str, Any]
) -> None:
    with b.scope(), pytest.raises(StepNotPossible):
        getattr(services, verb)(**b.act(case_id), **values)
    assert b.case(case_id).state == State.REGISTERED


def test_less_than_demanded_is_paid_in_full_only_with_an_explanation(
    b: Town, case_id: UUID
) -> None:
    demanded = b.case(case_id).total_cents
    paid = {"result": "paid_here", "collected_cents": demanded - 1}
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        with pytest.raises(InputInvalid, match="nicht voll bezahlt") as refused:
            services.complete(**b.act(case_id), **paid, text="  ")
        assert [fault.path for fault in refused.value.faults] == ["text"]
        assert b.case(case_id).state == State.ACCEPTED
        services.complete(**b.act(case_id), **paid, text="1 Cent erlassen.")
    assert b.case(case_id).state == State.COMPLETED


def test_a_slipped_comma_is_asked_about(b: Town, case_id: UUID) -> None:
    demanded = b.case(case_id).total_cents
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        for result in ("paid_here", "partial"):
            with pytest.raises(InputInvalid, match="gefordert waren") as refused:
                services.complete(
                    **b.act(case_id), result=result, collected_cents=10 * demanded, text=" "
                )
            assert [fault.path for fault in refused.value.faults] == ["collected_cents"]
        # Interest and late fees have grown meanwhile.
        services.complete(**b.act(case_id), result="paid_here", collected_cents=demanded + 500)
    assert b.case(case_id).state == State.COMPLETED


@pytest.mark.parametrize("times", [0, 1])
def test_part_payment_of_nothing_or_of_all_needs_an_explanation(
    b: Town, case_id: UUID, times: int
) -> None:
    said = {"result": "partial", "collected_cents": times * b.case(case_id).total_cents}
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        with pytest.raises(InputInvalid, match="nicht teilweise bezahlt") as refused:
            services.complete(**b.act(case_id), **said)
        assert [fault.path for fault in refused.value.faults] == ["text"]
        services.complete(**b.act(case_id), **said, text="Rest der Zinsen fruchtlos.")
    assert b.case(case_id).state == State.COMPLETED


@pytest.mark.parametrize("result", ["fruitless_seizure", "fruitless_asset_statement"])
def test_what_was_collected_was_not_fruitless(b: Town, case_id: UUID, result: str) -> None:
    with b.scope():
        services.accept(**b.act(case_id), own_reference="V-1")
        with pytest.raises(InputInvalid, match="fruchtlos") as refused:
            services.complete(**b.act(case_id), result=result, collected_cents=1, text="Doch.")
        assert [fault.path for fault in refused.value.faults] == ["collected_cents"]
        services.complete(**b.act(case_id), result=result, collected_cents=0)
    assert b.case(case_id).state == State.COMPLETED


def test_a_slipped_comma_is_asked_about_when_a_withdrawal_is_confirmed(
    a: Town, b: Town, post: Postman, case_id: UUID
) -> None:
    with a.scope():
        services.withdraw(**a.act(case_id), reason="paid")
    post.until_quiet()
    far = {"collected_cents": 10 * b.case(case_id).total_cents}
    with b.scope():
        with pytest.raises(InputInvalid, match="gefordert waren"):
            services.confirm_withdrawal(**b.act(case_id), **far)
        services.confirm_withdrawal(**b.act(case_id), **far, text="Samt anderer Sache.")
    assert b.case(case_id).state == State.WITHDRAWN


def test_readers_and_closed_accounts_take_no_step(b: Town, case_id: UUID) -> None:
    with b.scope():
        reader = clerk("leser", role=Role.READER)
        closed = clerk("weg")
        closed.is_active = False
        closed.save()
        for who in (reader, closed):
            with pytest.raises(NotAllowed):
                services.accept(**b.act(case_id) | {"by": who.actor}, own_reference="V")


def test_accepting_many_tells_each_result(a: Town, b: Town, post: Postman, case_id: UUID) -> None:
    with a.scope():
        other = services.submit_request(draft=request(to=b.id), by=a.by).id
    post.until_quiet()
    nowhere = uuid4()
    with b.scope():
        results = services.accept_many(
            choices=[(case_id, 1, "V-1"), (other, 7, "V-2"), (nowhere, 1, "V-3")], by=b.by
        )
    assert [type(result.error) for result in results] == [type(None), CaseChanged, CaseNotFound]
    assert b.case(case_id).state == State.ACCEPTED
    assert b.case(other).state == State.REGISTERED


def test_two_clerks_at_once_one_wins_and_the_other_is_told(
    committed_db: None, a: Town, b: Town, post: Postman, case_id: UUID
) -> None:
    start = threading.Barrier(2)

    def refuse(reason: str) -> type[BaseException] | None:
        try:
            with b.scope():
                start.wait(10)
                services.refuse(case_id=case_id, version=1, reason=reason, by=b.by)
        except CaseChanged as changed:
            return type(changed)
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(refuse, ["duplicate", "small_claim"]))
    assert sorted(map(str, results)) == sorted(map(str, [None, CaseChanged]))
    post.until_quiet()
    assert a.case(case_id).reason == b.case(case_id).reason

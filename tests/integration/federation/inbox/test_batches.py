"""Many messages in one transaction: as if each had come alone, only faster."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import TenantIdentity, tenant_scope
from federation.inbox import claims, locks, processing, services, states
from federation.inbox.models import InboundMessage, InboundState
from federation.outbox.models import Alarm
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import InboundMessage as Message
from federation.protocol.messages import MessageKind
from tests.factories.desks import Deliver, Desk, handle

pytestmark = [pytest.mark.usefixtures("committed_db", "desk"), pytest.mark.process("worker")]

BUDGET = timedelta(seconds=30)
OPERATOR = system("tests")


def _run() -> None:
    assert processing.apply_due_messages(budget=BUDGET) is False


def _state(tenant: Municipality, message_id: UUID) -> str:
    with tenant_scope(tenant):
        return InboundMessage.objects.get(id=message_id).state


def test_a_batch_is_one_call_of_the_handler(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id = new_id()
    deliver(alpha, "b", sequence=2, case_id=case_id, kind=MessageKind.WITHDRAWAL)
    deliver(alpha, "a", sequence=1, case_id=case_id)
    deliver(alpha, "c")
    _run()
    assert desk.calls == [["a", "b", "c"]]


def test_another_handler_gets_its_kinds_in_their_place(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*, messages: Sequence[Message]) -> list[Any]:
        return handle(messages=messages)

    table = dict.fromkeys(MessageKind, handle) | {MessageKind.QUERY: other}
    monkeypatch.setattr(processing, "handlers", lambda: table)
    case_id = new_id()
    request, query = MessageKind.ASSISTANCE_REQUEST, MessageKind.QUERY
    for number, kind in enumerate((request, query, query, request), start=1):
        deliver(alpha, f"{number}", sequence=number, case_id=case_id, kind=kind)
    _run()
    assert desk.calls == [["1"], ["2", "3"], ["4"]]


def test_bad_messages_cost_only_themselves(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    bad = {3, 4, 19, 31}
    ids = {number: deliver(alpha, f"{number:02}") for number in range(32)}
    desk.faults = {f"{number:02}": MessageUnprocessable("NONSENSE", "No.") for number in bad}
    _run()
    assert sorted(desk.effects(alpha)) == [f"{n:02}" for n in range(32) if n not in bad]
    parked = {number for number, key in ids.items() if _state(alpha, key) == InboundState.PARKED}
    assert parked == bad
    assert len(desk.posted) == len(bad)
    with tenant_scope(alpha):
        alarms = Alarm.objects.filter(code=states.MESSAGE_PARKED)
        assert {alarm.message_id for alarm in alarms} == {ids[number] for number in bad}


def test_one_bad_message_costs_few_attempts(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    for number in range(32):
        deliver(alpha, f"{number:02}")
    desk.faults["17"] = MessageUnprocessable("NONSENSE", "No.")
    _run()
    assert len(desk.calls) == 11  # once whole, five halvings that fail, five halves that work


def test_nobody_is_blamed_for_what_waited_for_it(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    case_id = new_id()
    bad = deliver(alpha, "bad", sequence=2, case_id=case_id)
    after = deliver(alpha, "after", sequence=3, case_id=case_id)
    _run()
    desk.faults["bad"] = MessageUnprocessable("NONSENSE", "No.")
    good = deliver(alpha, "good", sequence=1, case_id=case_id)
    _run()
    assert desk.effects(alpha) == ["good"]
    assert _state(alpha, good) == InboundState.APPLIED
    assert _state(alpha, bad) == InboundState.PARKED
    assert _state(alpha, after) == InboundState.HELD


def test_a_batch_ends_where_it_would_become_too_large(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        deliver(alpha, f"{number}" * 400)
    monkeypatch.setattr(claims, "MAX_BYTES", 1_000)
    _run()
    assert [len(call) for call in desk.calls] == [2, 2, 1]


def test_a_letter_larger_than_a_batch_goes_alone(
    desk: Desk, deliver: Deliver, alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        deliver(alpha, f"{number}" * 400)
    monkeypatch.setattr(claims, "MAX_BYTES", 1)
    _run()
    assert [len(call) for call in desk.calls] == [1, 1]


def test_a_connection_that_breaks_leaves_nothing_behind(
    desk: Desk, deliver: Deliver, alpha: Municipality
) -> None:
    """As if the worker had been killed in the middle: no effect, no mark, and later each once."""
    ids = [deliver(alpha, f"{number}") for number in range(6)]
    seen: list[list[str]] = []

    def cut(message: Message) -> None:
        if message.payload == b"4":
            desk.hook = look
            connection.connection.close()

    def look(_message: Message) -> None:
        desk.hook = None
        seen.append(desk.effects(alpha))
        seen.append([_state(alpha, key) for key in ids])

    desk.hook = cut
    _run()
    assert seen == [[], [InboundState.PENDING] * 6]
    assert desk.calls[0] == ["0", "1", "2", "3", "4", "5"]
    assert desk.effects(alpha) == [f"{number}" for number in range(6)]


def test_two_workers_share_the_work_and_do_nothing_twice(
    desk: Desk,
    deliver: Deliver,
    alpha: Municipality,
    beta: Municipality,
    gamma: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processing, "BATCH_SIZE", 4)
    towns = (alpha, beta, gamma)
    for number in range(20):
        for town in towns:
            deliver(town, f"{number:02}")
    start = threading.Barrier(2)

    def work() -> None:
        with as_process("worker"):
            start.wait(20)
            processing.apply_due_messages(budget=BUDGET)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    _run()
    for town in towns:
        assert desk.effects(town) == [f"{number:02}" for number in range(20)]


def test_tenants_take_turns_also_across_tasks(
    deliver: Deliver,
    desk: Desk,
    alpha: Municipality,
    beta: Municipality,
    gamma: Municipality,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processing, "BATCH_SIZE", 1)
    monkeypatch.setattr(processing, "_turns", processing._Turns())
    for number in range(3):
        for town in (gamma, beta, alpha):
            deliver(town, f"{number}")
    for _ in range(9):
        processing.apply_due_messages(budget=BUDGET * 0)
    assert [town for town, _ in desk.applied] == ["alpha", "beta", "gamma"] * 3


def test_whose_turn_was_last_comes_last() -> None:
    def tenant(role: str) -> TenantIdentity:
        return TenantIdentity(schema_name=role, role=role, authority_id=UUID(int=1), slug=role)

    a, b, c, d = map(tenant, "abcd")
    turns = processing._Turns()
    turns.had(b)
    assert turns.order([a, b, c, d]) == [c, d, a, b]
    turns.had(d)
    assert turns.order([c, b, a]) == [a, b, c]


def test_an_operator_waits_for_the_worker(
    desk: Desk,
    deliver: Deliver,
    alpha: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    """Otherwise a message could be held just when what it waits for is discarded: for ever."""
    case_id = new_id()
    desk.faults["bad"] = MessageUnprocessable("NONSENSE", "No.")
    bad = deliver(alpha, "bad", case_id=case_id)
    _run()
    held = deliver(alpha, "after", sequence=2, case_id=case_id)
    inside, go_on, waiting = threading.Event(), threading.Event(), threading.Event()

    def hold(_message: Message) -> None:
        inside.set()
        assert go_on.wait(20)

    desk.hook = hold
    deliver(alpha, "slow")

    def work() -> None:
        with as_process("worker"):
            processing.apply_batch(alpha.identity)

    def discard() -> None:
        with as_process("worker"), tenant_scope(alpha):
            waiting.set()
            services.discard(origin="nord", message_id=bad, why="Papier", by=OPERATOR)

    worker, operator = threading.Thread(target=work), threading.Thread(target=discard)
    worker.start()
    assert inside.wait(20)
    operator.start()
    assert waiting.wait(20)
    operator.join(0.3)
    assert operator.is_alive()
    go_on.set()
    worker.join(20)
    operator.join(20)
    desk.hook = None
    assert _state(alpha, held) == InboundState.PENDING
    _run()
    assert desk.effects(alpha) == ["slow", "after"]


def test_the_lock_belongs_to_a_tenant(
    alpha: Municipality,
    beta: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    taken: dict[str, bool] = {}

    def look() -> None:
        with as_process("worker"):
            for town in (alpha, beta):
                with tenant_scope(town), transaction.atomic():
                    taken[town.slug] = locks.try_lock()

    with tenant_scope(alpha), transaction.atomic():
        assert locks.try_lock()
        other = threading.Thread(target=look)
        other.start()
        other.join(20)
    assert taken == {"alpha": False, "beta": True}

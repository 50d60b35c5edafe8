"""However messages are cut into batches, the cases end up the same."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centre.audit import selectors as audit_selectors
from centre.audit import services as audit
from centre.audit.models import TrailEntry
from centre.kernel import clock
from federation.outbox.models import Letter
from federation.outbox.states import DeliveryState, Outcome
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.messages import InboundMessage
from tenants.cases import inbound, outcomes, payloads, services, wire
from tenants.cases.errors import CaseChanged
from tenants.cases.graph import State
from tenants.cases.models import Case, CaseEvent, CaseMessage, Direction, RequestContent
from tests.factories.requests import request

Town = Any
Postman = Any
Batches = Sequence[Sequence[InboundMessage]]

#: Runs that are compared happen at the same moment.
LATER = clock.in_future(hours=1)

_few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def take(batches: Batches) -> None:
    for batch in batches:
        with transaction.atomic():
            audit.record(events=inbound.on_messages(messages=batch))


@dataclass
class Picture:
    """All that a town has in its books, but for the ids that it made up itself."""

    cases: list[Any] = field(default_factory=list)
    contents: list[Any] = field(default_factory=list)
    log: list[Any] = field(default_factory=list)
    timeline: list[Any] = field(default_factory=list)
    trail: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, known: set[UUID]) -> "Picture":
        def ours(key: UUID | None) -> UUID | None:
            return key if key in known else None

        log = [
            row | {"id": ours(row["id"]), "payload": bytes(row["payload"])}
            for row in CaseMessage.objects.order_by("case_id", "number").values()
        ]
        timeline = [
            row | {"id": None, "message_id": ours(row["message_id"])}
            for row in CaseEvent.objects.order_by("case_id", "id").values()
        ]
        trail = [
            {**json.loads(body), "number": None}
            for body in TrailEntry.objects.order_by("subject", "number").values_list(
                "body", flat=True
            )
        ]
        answers = Letter.objects.order_by("case_id", "case_sequence").values_list(
            "case_id", "case_sequence", "kind", "recipient", "expires_at"
        )
        return cls(
            cases=list(Case.objects.order_by("id").values()),
            contents=[
                (row.case_id, bytes(row.record)) for row in RequestContent.objects.order_by("pk")
            ],
            log=log,
            timeline=timeline,
            trail=trail,
            answers=list(answers),
        )


def picture(town: Town, batches: Batches) -> Picture:
    """Return what a town would have in its books after these batches; leave nothing."""
    known = {message.message_id for batch in batches for message in batch}
    with town.scope(), clock.frozen(LATER), transaction.atomic():
        take(batches)
        found = Picture.of(known)
        transaction.set_rollback(True)
    return found


def cut(draw: Any, messages: Sequence[InboundMessage]) -> Batches:
    """Mix the messages of cases, each case in its order, and cut them into batches."""
    queues: dict[UUID, list[InboundMessage]] = {}
    for message in messages:
        queues.setdefault(message.case_id, []).append(message)
    mixed = []
    while queues:
        case_id = draw(st.sampled_from(sorted(queues)))
        mixed.append(queues[case_id].pop(0))
        if not queues[case_id]:
            del queues[case_id]
    ends = sorted(draw(st.sets(st.integers(1, len(mixed)), max_size=4)) | {len(mixed)})
    return [mixed[begin:end] for begin, end in zip([0, *ends], ends, strict=False) if begin < end]


def singly(messages: Sequence[InboundMessage]) -> Batches:
    return [[message] for message in messages]


@pytest.fixture
def requests(a: Town, b: Town, post: Postman) -> list[InboundMessage]:
    """Letters to B about four cases: new, withdrawn at once, sent twice, and corrected."""
    with a.scope():
        plain, withdrawn, twice, corrected = (
            services.submit_request(draft=request(to=b.id, own_reference=f"A-{n}"), by=a.by).id
            for n in range(4)
        )
        services.withdraw(**a.act(withdrawn), reason="mistake")
    letters = {letter.case_id: letter for letter in post.waiting(a)}
    again = payloads.AssistanceRequest(
        case_reference=_reference(letters[corrected]), request=request(to=b.id, own_reference="B-1")
    )
    content = wire.write(again)
    better = replace(letters[corrected], message_id=uuid4(), case_sequence=2, payload=content)
    known = [letter for letter in post.waiting(a) if letter.case_id != plain]
    copy = letters[twice]
    return [letters[plain], *known, copy, better]


def _reference(letter: InboundMessage) -> str:
    payload = wire.read_record(payloads.AssistanceRequest, letter.payload)
    return payload.case_reference


@pytest.fixture
def replies(a: Town, b: Town, post: Postman) -> list[InboundMessage]:
    """Letters to A, up to five for each of three cases."""
    with a.scope():
        ids = [services.submit_request(draft=request(to=b.id), by=a.by).id for _ in range(3)]
    post.bring_all(a)
    with b.scope():
        for number, case_id in enumerate(ids):
            services.ask(**b.act(case_id), topic="title", text="Wann zugestellt?")
            services.accept(**b.act(case_id), own_reference=f"V-{number}")
            if number:
                services.ask(**b.act(case_id), topic="address", text="Wo?")
                services.complete(**b.act(case_id), result="partial", collected_cents=number * 100)
    with a.scope():
        services.withdraw(**a.act(ids[2]), reason="paid")
    letters: list[InboundMessage] = post.waiting(b)
    return letters


@_few
@given(st.data())
def test_requests_in_batches_are_as_requests_one_by_one(
    requests: list[InboundMessage], b: Town, data: st.DataObject
) -> None:
    assert picture(b, cut(data.draw, requests)) == picture(b, singly(requests))


@_few
@given(st.data())
def test_replies_in_batches_are_as_replies_one_by_one(
    replies: list[InboundMessage], a: Town, data: st.DataObject
) -> None:
    assert picture(a, cut(data.draw, replies)) == picture(a, singly(replies))


def test_the_pictures_show_something(
    requests: list[InboundMessage], a: Town, b: Town, replies: list[InboundMessage]
) -> None:
    at_b, at_a = picture(b, [requests]), picture(a, [replies])
    assert len(at_b.cases) == len(at_b.contents) == 7  # three of them by `replies`
    assert {case["version"] for case in at_b.cases} >= {1, 2}
    assert len(at_b.answers) > 4
    assert len(at_a.trail) > len(replies)


def test_a_bad_message_leaves_nothing_of_its_batch(requests: list[InboundMessage], b: Town) -> None:
    bad = replace(requests[0], message_id=uuid4(), case_id=uuid4(), payload=b"\xff")
    with b.scope():
        with pytest.raises(MessageUnprocessable):
            take([[*requests, bad]])
        assert not Case.objects.exists()
        assert not CaseMessage.objects.exists()


def test_a_batch_asks_and_writes_as_often_as_a_message(
    requests: list[InboundMessage], b: Town, django_assert_max_num_queries: Any
) -> None:
    with b.scope(), django_assert_max_num_queries(30):
        take([requests])


@pytest.fixture
def sent(a: Town, b: Town, post: Postman) -> list[InboundMessage]:
    """Letters of A: three requests, one of them with two messages more that failed."""
    with a.scope():
        ids = [services.submit_request(draft=request(to=b.id), by=a.by).id for _ in range(3)]
    post.until_quiet()
    with b.scope():
        services.ask(**b.act(ids[0]), topic="title", text="Wann?")
        services.accept(**b.act(ids[1]), own_reference="V")
    post.until_quiet()
    with a.scope():
        services.answer(**a.act(ids[0]), text="Am 5. März.")
        services.withdraw(**a.act(ids[0]), reason="paid")
        services.withdraw(**a.act(ids[1]), reason="paid")
        services.submit_request(draft=request(to=b.id), by=a.by)
    letters: list[InboundMessage] = post.waiting(a)
    return letters


@_few
@given(st.data())
def test_news_in_batches_are_as_news_one_by_one(
    sent: list[InboundMessage], a: Town, data: st.DataObject
) -> None:
    states = st.sampled_from([DeliveryState.RELAYED, DeliveryState.EXPIRED, DeliveryState.REFUSED])
    news = [
        Outcome(
            message_id=letter.message_id,
            case_id=letter.case_id,
            kind=letter.kind,
            state=data.draw(states),
            reason="",
            at=clock.now(),
        )
        for letter in data.draw(st.permutations(sent * 2))
    ]
    middle = data.draw(st.integers(0, len(news)))

    def told(batches: list[list[Outcome]]) -> Picture:
        with a.scope(), clock.frozen(LATER), transaction.atomic():
            for batch in batches:
                audit.record(events=outcomes.on_outcomes(outcomes=batch))
            found = Picture.of({letter.message_id for letter in sent})
            transaction.set_rollback(True)
        return found

    assert told([news[:middle], news[middle:]]) == told([[each] for each in news])


# -- with others at once ---------------------------------------------------------------------


@pytest.fixture
def registered(committed_db: None, a: Town, b: Town, post: Postman) -> UUID:
    with a.scope():
        case_id: UUID = services.submit_request(draft=request(to=b.id), by=a.by).id
    post.until_quiet()
    return case_id


def _beside(as_process: Any, login: str, work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        with as_process(login):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_clerk_accepts_while_a_withdrawal_comes_in(
    registered: UUID,
    a: Town,
    b: Town,
    post: Postman,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    """The clerk waits for the batch, and is then told that the case has changed."""
    with a.scope():
        services.withdraw(**a.act(registered), reason="mistake")
    [withdrawal] = post.waiting(a)
    seen = b.act(registered)
    refused: list[Exception] = []

    def accept() -> None:
        try:
            with b.scope():
                services.accept(**seen, own_reference="V-1")
        except CaseChanged as error:
            refused.append(error)

    with b.scope(), transaction.atomic():
        entries = inbound.on_messages(messages=[withdrawal])
        clerk = _beside(as_process, "web", accept)
        clerk.join(0.5)
        assert clerk.is_alive()
        audit.record(events=entries)
    clerk.join(20)
    assert refused
    assert b.case(registered).state == State.WITHDRAWING
    with b.scope():
        assert audit_selectors.verify(b.municipality.tenant_role).intact


def test_a_withdrawal_comes_in_while_a_clerk_accepts(
    registered: UUID,
    a: Town,
    b: Town,
    post: Postman,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    with a.scope():
        services.withdraw(**a.act(registered), reason="mistake")
    [withdrawal] = post.waiting(a)

    def arrive() -> None:
        with b.scope():
            take([[withdrawal]])

    with b.scope(), transaction.atomic():
        services.accept(**b.act(registered), own_reference="V-1")
        worker = _beside(as_process, "worker", arrive)
        worker.join(0.5)
        assert worker.is_alive()
    worker.join(20)
    assert b.case(registered).state == State.WITHDRAWING
    with b.scope():
        log = CaseMessage.objects.filter(case_id=registered).order_by("number")
        assert [message.kind for message in log][-2:] == ["acceptance", "withdrawal"]


def test_a_registration_and_the_news_of_its_request_at_once(
    committed_db: None,
    a: Town,
    b: Town,
    post: Postman,
    as_process: Callable[[str], AbstractContextManager[None]],
) -> None:
    """News that were read before the registration took effect must not undo it."""
    with a.scope():
        case_id = services.submit_request(draft=request(to=b.id), by=a.by).id
    [letter] = post.waiting(a)
    post.bring(letter)
    [registration] = post.waiting(b)

    def expire() -> None:
        post.tell(a, [letter], DeliveryState.EXPIRED, "GONE")

    with a.scope(), transaction.atomic():
        entries = inbound.on_messages(messages=[registration])
        teller = _beside(as_process, "worker", expire)
        teller.join(0.5)
        assert teller.is_alive()
        audit.record(events=entries)
    teller.join(20)
    case = a.case(case_id)
    assert (case.state, case.trouble) == (State.REGISTERED, "")
    with a.scope():
        own = CaseMessage.objects.get(case_id=case_id, direction=Direction.OUT)
        assert own.outcome == "relayed"

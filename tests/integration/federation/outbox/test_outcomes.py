"""Tenants learn what became of their letters: each of its own, one transaction, also late."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import require_tenant, tenant_scope
from federation.outbox import outcomes, selectors, services
from federation.outbox.errors import LetterExpired, NotDead
from federation.outbox.models import DeadLetter, Letter
from federation.outbox.states import DeliveryState, Outcome
from federation.protocol.messages import UNORDERED, BlobRef, MessageKind
from tests.factories.letters import message

pytestmark = [pytest.mark.usefixtures("committed_db", "towns"), pytest.mark.process("worker")]

told: list[tuple[str, UUID, str, str]] = []
broken: set[str] = set()


def handler(*, outcomes: Sequence[Outcome]) -> list[Any]:
    slug = require_tenant().slug
    if slug in broken:
        raise RuntimeError("this tenant cannot be told now")
    told.extend((slug, each.message_id, each.state.value, each.reason) for each in outcomes)
    return []


@pytest.fixture(autouse=True)
def _handler(settings: Any) -> None:
    settings.FEDERATION_OUTCOME_HANDLER = f"{__name__}.handler"
    told.clear()
    broken.clear()


def post(sender: Municipality, recipient: Municipality, count: int = 1) -> list[UUID]:
    messages = [message(recipient.authority_id) for _ in range(count)]
    with tenant_scope(sender), transaction.atomic():
        services.post(messages=messages)
    return [each.message_id for each in messages]


def receipt(owner: Callable[..., None], ids: Sequence[UUID], first: int = 1) -> None:
    """Do what dispatch does when a receipt for these letters comes."""
    last = first + len(ids) - 1
    owner("INSERT INTO outbox_link (name) VALUES ('nord') ON CONFLICT DO NOTHING")
    for lseq, message_id in enumerate(ids, start=first):
        owner("UPDATE outbox_letter SET lseq = %s WHERE id = %s", lseq, message_id)
    owner(
        "INSERT INTO outbox_receipt (link, first_lseq, last_lseq, body, signature, kid, leaves,"
        " issued_at, received_at) VALUES ('nord', %s, %s, '', '', '', '', now(), now())",
        first,
        last,
    )
    owner("UPDATE outbox_link SET acked_lseq = %s, next_lseq = %s + 1", last, last)


def die(owner: Callable[..., None], message_id: UUID, state: str, reason: str) -> None:
    owner(
        "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, lseq, case_id, kind,"
        " state, reason, died_at) SELECT gen_random_uuid(), id, tenant_role, link, lseq, case_id,"
        " kind, %s, %s, now() FROM outbox_letter WHERE id = %s",
        state,
        reason,
        message_id,
    )


def test_each_tenant_is_told_of_its_own_letters_once(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    mine, theirs = post(alpha, beta, 3), post(beta, beta, 2)
    receipt(owner, mine + theirs)

    assert outcomes.deliver_due() == 5
    assert outcomes.deliver_due() == 0

    assert [(slug, at) for slug, at, *_ in told] == [
        *(("alpha", each) for each in mine),
        *(("beta", each) for each in theirs),
    ]
    assert {state for *_, state, _ in told} == {"relayed"}
    with tenant_scope(alpha):
        delivery = selectors.deliveries(mine)[mine[0]]
    assert delivery.state is DeliveryState.RELAYED
    assert delivery.relayed_at is not None


def test_refused_letter_is_told_as_refused_only(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    good, bad = post(alpha, beta, 2)
    receipt(owner, [good, bad])
    die(owner, bad, "refused", "SIGNATURE_INVALID")
    outcomes.deliver_due()
    assert {(each, state, reason) for _, each, state, reason in told} == {
        (good, "relayed", ""),
        (bad, "refused", "SIGNATURE_INVALID"),
    }


def test_tenant_that_cannot_be_told_owes_and_nobody_waits(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    mine, theirs = post(alpha, beta), post(beta, beta)
    receipt(owner, mine + theirs)
    broken.add("alpha")
    outcomes.deliver_due()
    assert [slug for slug, *_ in told] == ["beta"]

    broken.clear()
    assert outcomes.deliver_due() == 0  # not due yet
    owner("UPDATE outbox_outcomedebt SET next_try_at = now()")
    outcomes.deliver_due()
    assert [(slug, at) for slug, at, *_ in told[1:]] == [("alpha", mine[0])]


def test_late_receipt_overrules_expiry(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (letter,) = post(alpha, beta)
    die(owner, letter, "expired", "NO_RECEIPT")
    outcomes.deliver_due()
    receipt(owner, [letter])
    owner("UPDATE outbox_deadletter SET resolution = 'relayed', told = true")
    outcomes.deliver_due()
    assert [state for *_, state, _ in told] == ["expired", "relayed"]


def test_letter_to_a_deleted_municipality_is_cancelled_without_a_void(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    """A void would be refused as well, and be the next dead letter."""
    (letter,) = post(alpha, beta)
    owner("UPDATE outbox_letter SET lseq = 0")
    die(owner, letter, "refused", "RECIPIENT_DELETED")
    with tenant_scope(alpha), transaction.atomic():
        services.cancel(message_id=letter, by=system("tests"))
    assert not Letter.objects.filter(kind="void").exists()


@pytest.mark.process("worker")
def test_nobody_has_to_decide_about_letters_of_a_deleted_municipality(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (mine,), (theirs,) = post(alpha, beta), post(beta, alpha)
    die(owner, mine, "refused", "RECIPIENT_DELETED")
    die(owner, theirs, "refused", "QUOTA_EXCEEDED")
    owner("UPDATE registry_municipality SET state = 'deleted' WHERE slug = 'alpha'")
    assert outcomes.deliver_due() == 2
    assert outcomes.deliver_due() == 0
    found = DeadLetter.objects.values_list("message_id", "resolution", "resolved_by")
    assert set(found) == {(mine, "cancelled", system("worker").name), (theirs, "", "")}
    [entry] = audit.trail(subject=str(mine))
    assert (entry.tenant_role, entry.event) == ("centre", AuditEvent.OUTBOX_MESSAGE_CANCELLED)


@pytest.mark.process("web")
def test_an_operator_ends_what_was_deferred(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    """Its recipient is back: nobody waits out the five minutes that it had asked for."""
    post(alpha, beta)
    owner("INSERT INTO outbox_link (name) VALUES ('nord') ON CONFLICT DO NOTHING")
    owner("UPDATE outbox_letter SET held = true, not_before = now() + interval '5 minutes'")
    services.retry_now(link="nord", by=system("tests"))
    (letter,) = Letter.objects.values("held", "lseq", "not_before")
    assert (letter["held"], letter["lseq"]) == (True, None)
    assert letter["not_before"] <= clock.now()


def test_deferred_letter_tells_why(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (letter,) = post(alpha, beta)
    owner(
        "UPDATE outbox_letter SET held = true, not_before = now() + interval '5 minutes',"
        " deferred_for = 'QUOTA_EXCEEDED'"
    )
    with tenant_scope(alpha):
        found = selectors.deliveries([letter])[letter]
    assert (found.state, found.reason) == (DeliveryState.WAITING, "QUOTA_EXCEEDED")
    assert found.next_try_at is not None


@pytest.mark.process("web")
def test_dead_letter_is_sent_again(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (letter,) = post(alpha, beta)
    with tenant_scope(alpha), transaction.atomic(), pytest.raises(NotDead):
        services.resend(message_id=letter, by=system("tests"))
    owner("UPDATE outbox_letter SET lseq = 0")
    die(owner, letter, "parked", "KILLS_CALLS")
    with tenant_scope(alpha):
        assert selectors.deliveries([letter])[letter].state is DeliveryState.PARKED
        with transaction.atomic():
            services.resend(message_id=letter, by=system("tests"))
        assert selectors.deliveries([letter])[letter].state is DeliveryState.WAITING
        [entry] = audit.trail(subject=str(letter))
        assert entry.event == AuditEvent.OUTBOX_MESSAGE_RESENT


@pytest.mark.process("web")
@pytest.mark.parametrize("uploaded", [True, False])
def test_letter_that_is_sent_again_waits_for_documents_that_are_not_there_yet(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None], *, uploaded: bool
) -> None:
    posted = message(beta.authority_id, blobs=(BlobRef("ab" * 32, 1000),))
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
    owner("UPDATE outbox_letter SET lseq = 0, held = false")
    if uploaded:
        owner("UPDATE outbox_upload SET done_at = now()")
    die(owner, posted.message_id, "refused", "QUOTA_EXCEEDED")
    with tenant_scope(alpha), transaction.atomic():
        services.resend(message_id=posted.message_id, by=system("tests"))
        assert Letter.objects.get().held is not uploaded


@pytest.mark.process("web")
def test_expired_letter_cannot_be_sent_again(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (letter,) = post(alpha, beta)
    die(owner, letter, "expired", "NEVER_SENT")
    owner("UPDATE outbox_letter SET expires_at = now() - interval '1 second', lseq = 0")
    with tenant_scope(alpha), pytest.raises(LetterExpired), transaction.atomic():
        services.resend(message_id=letter, by=system("tests"))
    with tenant_scope(alpha):
        assert selectors.deliveries([letter])[letter].state is DeliveryState.EXPIRED


def test_cancelled_letter_is_replaced_by_a_void(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    (letter,) = post(alpha, beta)
    owner("UPDATE outbox_letter SET lseq = 0")
    die(owner, letter, "parked", "KILLS_CALLS")
    with tenant_scope(alpha), transaction.atomic():
        services.cancel(message_id=letter, by=system("tests"))
    with tenant_scope(alpha):
        assert selectors.deliveries([letter])[letter].state is DeliveryState.CANCELLED
        gone = Letter.objects.get(id=letter)
        void = Letter.objects.get(kind="void")
        assert (void.case_id, void.case_sequence, void.lseq) == (
            gone.case_id,
            gone.case_sequence,
            None,
        )
    outcomes.deliver_due()
    assert [(at, state) for _, at, state, _ in told] == [(letter, "cancelled")]


def test_cancelled_failure_notice_leaves_no_void(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    """It stands outside the order: nothing waits for it."""
    notice = message(
        beta.authority_id, kind=MessageKind.PROCESSING_FAILURE, case_sequence=UNORDERED
    )
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[notice])
    owner("UPDATE outbox_letter SET lseq = 0")
    die(owner, notice.message_id, "parked", "KILLS_CALLS")
    with tenant_scope(alpha):
        with transaction.atomic():
            services.cancel(message_id=notice.message_id, by=system("tests"))
        assert [letter.id for letter in Letter.objects.all()] == [notice.message_id]
        [entry] = audit.trail(subject=str(notice.message_id))
        assert entry.event == AuditEvent.OUTBOX_MESSAGE_CANCELLED


@pytest.mark.process("web")
def test_operator_sees_links_and_dead_letters(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    ids = post(alpha, beta, 5)
    owner("INSERT INTO outbox_link (name) VALUES ('nord')")
    for each in ids[:3]:
        die(owner, each, "parked", "KILLS_CALLS")
    (link,) = selectors.links()
    assert (link.name, link.waiting, link.dead, link.backlog) == ("nord", 5, 3, 5)
    assert link.oldest_age is not None
    owner("UPDATE outbox_letter SET held = true")
    (waiting,) = selectors.links()
    assert (waiting.held, waiting.backlog) == (5, 5)
    assert waiting.oldest_age is not None
    assert waiting.oldest_age >= link.oldest_age

    first = selectors.dead_letters(limit=2)
    assert first.next
    second = selectors.dead_letters(limit=2, after=UUID(first.next))
    assert {row.message_id for row in (*first.rows, *second.rows)} == set(ids[:3])
    assert second.next is None

    services.pause(link="nord", by=system("tests"))
    assert selectors.links()[0].state == "paused"
    services.resume(link="nord", by=system("tests"))
    assert selectors.links()[0].state == "active"
    services.retry_now(link="nord", by=system("tests"))
    assert [entry.event for entry in audit.trail(subject="nord")] == [
        AuditEvent.LINK_PEER_PAUSED,
        AuditEvent.LINK_PEER_RESUMED,
        AuditEvent.LINK_PEER_RETRIED,
    ]


@pytest.mark.process("web")
def test_alarms_come_in_pages_and_who_has_seen_them_is_told(owner: Callable[..., None]) -> None:
    ids = [new_id() for _ in range(5)]
    for each in ids:
        owner(
            "INSERT INTO outbox_alarm (id, code, link, detail, raised_at)"
            " VALUES (%s, 'X', '', '', now())",
            each,
        )
    first = selectors.alarms(limit=3)
    assert first.next
    second = selectors.alarms(limit=3, after=UUID(first.next))
    assert [each.id for each in (*first.rows, *second.rows)] == ids[::-1]
    assert second.next is None

    by = system("tests")
    assert services.acknowledge_alarms(alarm_id=ids[0], by=by) == 1
    assert services.acknowledge_alarms(alarm_id=ids[0], by=by) == 0
    assert services.acknowledge_alarms(alarm_id=None, by=by) == 4
    assert not selectors.alarms().rows
    assert {each.acknowledged_by for each in selectors.alarms(open_only=False).rows} == {"tests"}
    (one,), (others,) = audit.trail(subject=str(ids[0])), audit.trail(subject="all")
    assert one.event == others.event == AuditEvent.OUTBOX_ALARM_ACKNOWLEDGED
    assert others.content["detail"] == {"alarms": "4"}

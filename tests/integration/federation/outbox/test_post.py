"""Posting: sealed, signed, queued in the caller's transaction, or not at all."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from centre.directory.records import AuthorityRecord
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.outbox import errors, poke, selectors, services
from federation.outbox.models import Letter, Upload
from federation.outbox.states import DeliveryState
from federation.protocol.messages import BlobRef
from federation.wire.envelope import Carried, open_payload, read_outer
from tests.factories.letters import message
from tests.integration.federation.outbox.conftest import record

pytestmark = pytest.mark.usefixtures("towns")

_WELCOMED = "INSERT INTO outbox_link (name, max_signed_together) VALUES (%s, %s)"


def test_letter_is_sealed_to_its_recipient_and_signed(
    alpha: Municipality, beta: Municipality
) -> None:
    posted = message(beta.authority_id, payload=b"top secret")

    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
        item = selectors.envelope(posted.message_id)
        key = keystore.signing_key().verify_key

    assert item is not None
    assert b"top secret" not in item
    carried = read_outer(item)
    carried.verify(key)
    envelope = carried.read()
    assert (envelope.origin_centre, envelope.sender) == ("krz", alpha.authority_id)
    with tenant_scope(beta):
        opened = open_payload(envelope, key=keystore.seal_private_key(envelope.seal_kid))
    assert opened == b"top secret"


def test_many_letters_are_posted_together(alpha: Municipality, beta: Municipality) -> None:
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[message(beta.authority_id) for _ in range(100)])
        rows = Letter.objects.values_list("link", "lseq", "held", "tenant_role")
        assert set(rows) == {("nord", None, False, alpha.tenant_role)}
        assert len(rows) == 100


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize(("said", "signatures"), [(0, 70), (63, 70), (64, 2), (1000, 2)])
def test_one_signature_covers_many_where_the_peer_says_that_it_takes_it(
    alpha: Municipality,
    beta: Municipality,
    owner: Callable[..., None],
    said: int,
    signatures: int,
) -> None:
    owner(_WELCOMED, "nord", said)
    posted = [message(beta.authority_id) for _ in range(70)]
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=posted)
        key = keystore.signing_key().verify_key
        carried = [read_outer(selectors.envelope(each.message_id) or b"") for each in posted]
    for each in carried:
        each.verify(key)
    assert [each.read().message_id for each in carried] == [each.message_id for each in posted]
    assert len({each.signature for each in carried}) == signatures


@pytest.mark.usefixtures("committed_db")
def test_letters_for_others_are_signed_alone_beside_them(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    owner(_WELCOMED, "nord", 64)
    owner(_WELCOMED, "krz", 0)
    posted = [message(each.authority_id) for each in (beta, alpha, beta, alpha)]
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=posted)
        carried = [read_outer(selectors.envelope(each.message_id) or b"") for each in posted]
    assert [each.inclusion is None for each in carried] == [False, True, False, True]


@pytest.mark.usefixtures("committed_db")
def test_no_centre_learns_what_was_posted_to_another(
    alpha: Municipality, beta: Municipality, owner: Callable[..., None]
) -> None:
    owner(_WELCOMED, "nord", 64)
    owner(_WELCOMED, "krz", 64)
    calls = [(beta, alpha, beta, alpha, alpha), (beta, alpha, alpha)]
    seen: dict[Municipality, list[Carried]] = {alpha: [], beta: []}
    with tenant_scope(alpha), transaction.atomic():
        for recipients in calls:
            posted = [message(each.authority_id) for each in recipients]
            services.post(messages=posted)
            for recipient, each in zip(recipients, posted, strict=True):
                seen[recipient].append(read_outer(selectors.envelope(each.message_id) or b""))
    sizes = {
        town.name: [each.inclusion.size if each.inclusion else 1 for each in carried]
        for town, carried in seen.items()
    }
    assert sizes == {alpha.name: [3, 3, 3, 2, 2], beta.name: [2, 2, 1]}
    signatures = [{each.signature for each in carried} for carried in seen.values()]
    assert set.isdisjoint(*signatures)


def test_recipient_that_is_not_active_is_refused_and_nothing_posted(
    alpha: Municipality, beta: Municipality, publish: Callable[..., None]
) -> None:
    publish(record(alpha, home="krz"), record(beta, home="nord", state="suspended"))
    with tenant_scope(alpha), transaction.atomic():
        with pytest.raises(errors.RecipientUnknown):
            services.post(messages=[message(alpha.authority_id), message(beta.authority_id)])
        with pytest.raises(errors.RecipientUnknown):
            services.post(messages=[message(new_id())])
        assert not Letter.objects.exists()


def test_recipient_without_key_is_refused(
    alpha: Municipality, publish: Callable[..., None]
) -> None:
    keyless = AuthorityRecord(id=new_id(), name="Neustadt", home_centre="nord")
    publish(keyless)
    with (
        tenant_scope(alpha),
        transaction.atomic(),
        pytest.raises(errors.RecipientWithoutKey, match="Neustadt"),
    ):
        services.post(messages=[message(keyless.id)])


def test_same_id_twice_is_refused(alpha: Municipality, beta: Municipality) -> None:
    posted = message(beta.authority_id)
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
        with pytest.raises(errors.AlreadyPosted), transaction.atomic():
            services.post(messages=[posted])


def test_outside_a_transaction_nothing_can_be_posted(
    committed_db: None, alpha: Municipality, beta: Municipality
) -> None:
    with tenant_scope(alpha), pytest.raises(TransactionManagementError):
        services.post(messages=[message(beta.authority_id)])


def test_quota_counts_what_waits(alpha: Municipality, beta: Municipality, settings: Any) -> None:
    settings.FEDERATION_BACKLOG_QUOTA = 10
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[message(beta.authority_id) for _ in range(8)])
        with pytest.raises(errors.BacklogFull, match="8 letters already wait"):
            services.post(messages=[message(beta.authority_id) for _ in range(3)])
        services.post(messages=[message(beta.authority_id) for _ in range(2)])
        services.post(messages=[message(alpha.authority_id)])  # another link
    with tenant_scope(beta), transaction.atomic():
        services.post(messages=[message(beta.authority_id)])  # another tenant


def test_letter_with_documents_waits_for_them(alpha: Municipality, beta: Municipality) -> None:
    posted = message(beta.authority_id, blobs=(BlobRef("ab" * 32, 1000), BlobRef("cd" * 32, 7)))
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
        delivery = selectors.deliveries([posted.message_id])[posted.message_id]
        assert (delivery.state, delivery.reason) == (DeliveryState.WAITING, "DOCUMENTS_UNDER_WAY")
        assert {(row.link, row.size) for row in Upload.objects.all()} == {
            ("nord", 1000),
            ("nord", 7),
        }


def test_other_tenants_see_nothing(alpha: Municipality, beta: Municipality) -> None:
    posted = message(beta.authority_id)
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
    with tenant_scope(beta):
        assert selectors.deliveries([posted.message_id]) == {}
        assert selectors.envelope(posted.message_id) is None


def test_commit_pokes_dispatch_and_rollback_does_not(
    committed_db: None,
    alpha: Municipality,
    beta: Municipality,
    dsn: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poke, "_limiter", poke._Limiter(3600))
    with psycopg.connect(dsn("federation"), autocommit=True) as listener:
        listener.execute("LISTEN amtsbruecke_dispatch")
        with tenant_scope(alpha):
            with transaction.atomic():
                services.post(messages=[message(beta.authority_id)])
                transaction.set_rollback(True)
            assert not list(listener.notifies(timeout=0.1))
            for _ in range(3):  # within the interval: one poke
                with transaction.atomic():
                    services.post(messages=[message(beta.authority_id)])
        payloads = [each.payload for each in listener.notifies(timeout=10, stop_after=1)]
        payloads += [each.payload for each in listener.notifies(timeout=0.1)]
    assert payloads == ["nord"]


def test_letter_with_a_document_wakes_the_uploader_alone(
    committed_db: None, alpha: Municipality, beta: Municipality, dsn: Callable[[str], str]
) -> None:
    with psycopg.connect(dsn("federation"), autocommit=True) as listener:
        listener.execute("LISTEN amtsbruecke_dispatch; LISTEN amtsbruecke_documents")
        held = message(beta.authority_id, blobs=(BlobRef("ab" * 32, 10),))
        with tenant_scope(alpha), transaction.atomic():
            services.post(messages=[held])
        heard = list(listener.notifies(timeout=10, stop_after=1))
        heard += listener.notifies(timeout=0.1)
    assert [(each.channel, each.payload) for each in heard] == [("amtsbruecke_documents", "nord")]


def test_pokes_are_limited_for_each_link(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter((1.0, 1.015, 1.016, 1.021))
    monkeypatch.setattr(poke, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    limiter = poke._Limiter(poke.INTERVAL)
    assert limiter.admit(["nord"], channel="letters") == ["nord"]
    assert limiter.admit(["nord", "krz"], channel="letters") == ["krz"]
    assert limiter.admit(["nord"], channel="documents") == ["nord"]
    assert limiter.admit(["nord", "krz"], channel="letters") == ["nord"]


def test_tenant_cannot_number_its_letters(alpha: Municipality, beta: Municipality) -> None:
    posted = message(beta.authority_id)
    with tenant_scope(alpha), transaction.atomic():
        services.post(messages=[posted])
        with (
            pytest.raises(Exception, match="row-level security"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE outbox_letter SET lseq = 7")

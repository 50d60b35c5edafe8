"""The umbrella publishes, a centre applies; what is not trusted or not newer changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection, transaction

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.directory import encoding, selectors, services
from centre.directory.errors import (
    DirectoryMissing,
    EntryInvalid,
    SnapshotForked,
    SnapshotInvalid,
    SnapshotOutdated,
)
from centre.directory.models import DirectorySnapshot
from centre.directory.records import (
    ACTIVE,
    SIGN,
    SUSPENDED,
    Area,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.kernel import clock
from centre.kernel.actors import Actor, ActorKind
from centre.keys import keystore
from centre.keys.models import CentreKey
from centre.keys.sign import SigningKey
from centre.tenancy.context import tenant_scope

pytestmark = pytest.mark.process("owner")
OFFICER = Actor(kind=ActorKind.OPERATOR, id="officer", name="Directory officer")
UMBRELLA = SigningKey.generate()


@pytest.fixture(autouse=True)
def _fresh(db: None, settings: Any) -> Iterator[None]:
    settings.DIRECTORY_CHECK_SECONDS = 0
    settings.AMTSBRUECKE = replace(
        django_settings.AMTSBRUECKE, centre="krz", umbrella_keys=(UMBRELLA.verify_key.raw,)
    )
    selectors.forget()
    yield
    selectors.forget()


@pytest.fixture
def centre_keys(db: None) -> None:
    keystore.create_centre_keys()


def key_record(key: SigningKey) -> PublicKey:
    return PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=clock.now()
    )


def registration(
    centre: str, key: SigningKey, *authorities: AuthorityRecord, endpoint: str = "127.0.0.1:9"
) -> bytes:
    record = CentreRecord(id=centre, name=centre, endpoint=endpoint, keys=(key_record(key),))
    now = clock.now()
    entry = Snapshot(
        version=0,
        published_at=now,
        expires_at=now + timedelta(days=1),
        centres=(record,),
        authorities=authorities,
    )
    return encoding.sign_snapshot(entry, by=key)


def snapshot(version: int, **changes: Any) -> bytes:
    now = clock.now()
    made = Snapshot(version=version, published_at=now, expires_at=now + timedelta(days=7))
    return encoding.sign_snapshot(replace(made, **changes), by=UMBRELLA)


def test_no_directory_yet_says_how_to_get_one() -> None:
    assert selectors.present() is None
    with pytest.raises(DirectoryMissing, match="directory fetch"):
        selectors.current()


def test_a_centre_registers_its_municipalities_and_finds_them_published(
    centre_keys: None, alpha: Any
) -> None:
    area = Area(ars_prefix=alpha.ars, postcode="32423", place=alpha.name)
    record = services.authority_record(municipality=alpha, areas=[area])
    entry = services.entry(
        name="Kommunales Rechenzentrum",
        endpoint="127.0.0.1:8401",
        fingerprints=["ab" * 32],
        authorities=[record],
    )
    assert services.publish(entries=[entry], by=OFFICER) == 1
    directory = selectors.current()
    assert directory.resolve(postcode="32423").authority == record
    assert directory.seal_key(alpha.authority_id) is not None
    with tenant_scope(alpha):
        kid = keystore.signing_key().kid
    assert directory.verify_key(alpha.authority_id, kid) is not None
    published = TrailEntry.objects.filter(body__contains="directory:version:published")
    assert published.count() == 1


def test_publishing_nothing_new_keeps_the_version(centre_keys: None) -> None:
    key = SigningKey.generate()
    assert services.publish(entries=[registration("nord", key)], by=OFFICER) == 1
    assert services.publish(by=OFFICER) == 1
    assert services.publish(by=OFFICER, renew=True) == 2
    assert (
        services.publish(entries=[registration("nord", key, endpoint="127.0.0.1:10")], by=OFFICER)
        == 3
    )


def test_a_registration_must_keep_a_key_of_the_one_before(centre_keys: None) -> None:
    services.publish(entries=[registration("nord", SigningKey.generate())], by=OFFICER)
    with pytest.raises(EntryInvalid, match="no key"):
        services.publish(entries=[registration("nord", SigningKey.generate())], by=OFFICER)


def test_two_centres_cannot_claim_one_authority(centre_keys: None) -> None:
    shared = AuthorityRecord(id=uuid4(), name="Büsum", home_centre="nord")
    first = registration("nord", SigningKey.generate(), shared)
    second = registration("sachsen", SigningKey.generate(), replace(shared, home_centre="sachsen"))
    services.publish(entries=[first], by=OFFICER)
    with pytest.raises(EntryInvalid, match="claimed by nord and sachsen"):
        services.publish(entries=[second], by=OFFICER)
    assert selectors.current().version == 1


def test_nobody_registers_authorities_of_others(centre_keys: None) -> None:
    foreign = AuthorityRecord(id=uuid4(), name="Büsum", home_centre="sachsen")
    with pytest.raises(EntryInvalid, match="not at home"):
        services.publish(entries=[registration("nord", SigningKey.generate(), foreign)], by=OFFICER)
    with pytest.raises(EntryInvalid):
        services.publish(entries=[b"garbage"], by=OFFICER)


def test_a_registration_is_about_one_centre_and_no_directory(centre_keys: None) -> None:
    key = SigningKey.generate()
    nord, other = (
        CentreRecord(id=name, name=name, endpoint="127.0.0.1:9", keys=(key_record(key),))
        for name in ("nord", "sachsen")
    )
    now = clock.now()
    made = Snapshot(version=0, published_at=now, expires_at=now, centres=(nord,))
    for wrong in (replace(made, centres=(nord, other)), replace(made, version=1)):
        with pytest.raises(EntryInvalid, match="about one centre"):
            services.publish(entries=[encoding.sign_snapshot(wrong, by=key)], by=OFFICER)
    assert selectors.present() is None


def test_a_suspended_centre_is_published_as_such(centre_keys: None) -> None:
    services.publish(entries=[registration("nord", SigningKey.generate())], by=OFFICER)
    for suspended, state in ((True, SUSPENDED), (True, SUSPENDED), (False, ACTIVE)):
        services.suspend_centre(centre="nord", suspended=suspended, by=OFFICER)
        record = selectors.current().centre("nord")
        assert record is not None
        assert record.state == state
    # Doing it again is nothing to tell about.
    assert [entry.event for entry in audit.trail(subject="nord")] == [
        AuditEvent.DIRECTORY_CENTRE_SUSPENDED,
        AuditEvent.DIRECTORY_CENTRE_RESUMED,
    ]
    with pytest.raises(EntryInvalid, match="mars"):
        services.suspend_centre(centre="mars", suspended=True, by=OFFICER)


def test_applying_moves_forward_only() -> None:
    second = snapshot(2)
    assert services.apply(signed=second, by=OFFICER) == 2
    assert services.apply(signed=second, by=OFFICER) == 2
    with pytest.raises(SnapshotOutdated):
        services.apply(signed=snapshot(1), by=OFFICER)
    other = snapshot(2, expires_at=clock.now() + timedelta(days=1))
    with pytest.raises(SnapshotForked):
        services.apply(signed=other, by=OFFICER)
    assert services.apply(signed=snapshot(5), by=OFFICER) == 5
    assert selectors.current().version == 5
    kept = DirectorySnapshot.objects.order_by("version").values_list("version", flat=True)
    assert list(kept) == [2, 5]
    applied = TrailEntry.objects.filter(event=AuditEvent.DIRECTORY_VERSION_APPLIED)
    assert sorted(each.subject for each in applied) == ["version 2", "version 5"]
    assert {each.content["actor"]["name"] for each in applied} == {OFFICER.name}


def test_what_is_not_trusted_or_makes_no_sense_is_not_applied() -> None:
    stranger = SigningKey.generate()
    now = clock.now()
    made = Snapshot(version=1, published_at=now, expires_at=now + timedelta(days=1))
    homeless = AuthorityRecord(id=uuid4(), name="Büsum", home_centre="nord")
    nord = CentreRecord(id="nord", name="nord", endpoint="127.0.0.1:9")
    namesake = replace(homeless, name="Heide")
    for bad in (
        b"",
        b"\x00" * 1000,
        encoding.sign_snapshot(made, by=stranger),
        snapshot(0),
        snapshot(1, published_at=now + timedelta(hours=1)),
        snapshot(1, authorities=(homeless,)),
        snapshot(1, centres=(nord, replace(nord, endpoint="127.0.0.1:10"))),
        snapshot(1, centres=(nord,), authorities=(homeless, namesake)),
    ):
        with pytest.raises(SnapshotInvalid):
            services.apply(signed=bad, by=OFFICER)
    assert selectors.present() is None


def test_the_last_good_version_stays_in_force() -> None:
    services.apply(signed=snapshot(3), by=OFFICER)
    broken = bytearray(snapshot(4))
    broken[len(broken) // 2] ^= 1
    with pytest.raises(SnapshotInvalid):
        services.apply(signed=bytes(broken), by=OFFICER)
    assert selectors.current().version == 3


def test_tenants_read_the_directory_and_never_write_it(alpha: Any) -> None:
    services.apply(signed=snapshot(1), by=OFFICER)
    with tenant_scope(alpha):
        assert DirectorySnapshot.objects.count() == 1
        for statement in (
            "UPDATE directory_directorysnapshot SET version = 9",
            "DELETE FROM directory_directorysnapshot",
            "INSERT INTO directory_centreentry VALUES ('x', '', false, now())",
            "SELECT * FROM directory_centreentry",
        ):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_centre_gets_its_keys_once_and_the_trail_says_so(db: None) -> None:
    CentreKey.objects.all().delete()
    for _ in range(2):
        services.create_centre_keys(by=OFFICER)
    assert keystore.centre_signing_key().kid == keystore.centre_public_keys()[0].kid
    (told,) = TrailEntry.objects.filter(event="key:centre:created")
    assert (told.subject, told.content["actor"]["id"]) == ("krz", "officer")

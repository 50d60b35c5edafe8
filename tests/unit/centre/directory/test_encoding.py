from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.directory import encoding
from centre.directory.errors import SnapshotInvalid
from centre.directory.interface import AgeGrade, Directory
from centre.directory.records import (
    SEAL,
    SIGN,
    Area,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.keys.seal import DEFAULT_SUITE, SealPrivateKey
from centre.keys.sign import SigningKey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UMBRELLA = SigningKey.from_bytes(bytes(range(32)))
CENTRE_KEY = SigningKey.from_bytes(bytes(range(1, 33)))
AUTHORITY_KEY = SigningKey.from_bytes(bytes(range(2, 34)))
SEALING = SealPrivateKey.generate(DEFAULT_SUITE)


def signing(key: SigningKey, **changes: object) -> PublicKey:
    record = PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=NOW
    )
    return replace(record, **changes)  # type: ignore[arg-type]


CENTRE = CentreRecord(
    id="krz",
    name="Rechenzentrum",
    endpoint="127.0.0.1:1",
    fingerprints=("ab" * 32,),
    keys=(signing(CENTRE_KEY),),
)
AUTHORITY = AuthorityRecord(
    id=uuid4(),
    name="Minden",
    home_centre="krz",
    ags="05770032",
    ars="057700032032",
    keys=(
        signing(AUTHORITY_KEY),
        PublicKey(
            kid=SEALING.kid,
            purpose=SEAL,
            suite=SEALING.public.suite,
            raw=SEALING.public.raw,
            not_before=NOW,
        ),
    ),
    areas=(Area(ars_prefix="057700032032", postcode="32423", place="Minden"),),
    postal_address="Kleiner Domhof 17\n32423 Minden",
    email="vollstreckung@minden.example",
)
SNAPSHOT = Snapshot(
    version=7,
    published_at=NOW,
    expires_at=NOW + timedelta(days=7),
    centres=(CENTRE,),
    authorities=(AUTHORITY,),
)
SIGNED = encoding.sign_snapshot(SNAPSHOT, by=UMBRELLA)


def test_a_snapshot_survives_the_journey() -> None:
    assert encoding.verify_snapshot(SIGNED, trusted=[UMBRELLA.verify_key]) == SNAPSHOT


def test_an_unknown_signer_is_refused() -> None:
    with pytest.raises(SnapshotInvalid, match="No key that we trust"):
        encoding.verify_snapshot(SIGNED, trusted=[CENTRE_KEY.verify_key])
    with pytest.raises(SnapshotInvalid):
        encoding.verify_snapshot(SIGNED, trusted=[])


@given(position=st.integers(min_value=0, max_value=len(SIGNED) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(position: int, bit: int) -> None:
    """Except in the key's name, which is a hint and not signed: then nobody trusted has signed."""
    broken = bytearray(SIGNED)
    broken[position] ^= 1 << bit
    with pytest.raises(SnapshotInvalid):
        encoding.verify_snapshot(bytes(broken), trusted=[UMBRELLA.verify_key])


@given(length=st.integers(min_value=0, max_value=len(SIGNED) - 1))
def test_a_truncated_snapshot_is_refused(length: int) -> None:
    with pytest.raises(SnapshotInvalid):
        encoding.verify_snapshot(SIGNED[:length], trusted=[UMBRELLA.verify_key])


def test_garbage_and_giants_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SnapshotInvalid, match="no directory"):
        encoding.verify_snapshot(b"\xff" * 100, trusted=[UMBRELLA.verify_key])
    monkeypatch.setattr(encoding, "MAX_SIZE", 10)
    with pytest.raises(SnapshotInvalid, match="larger"):
        encoding.verify_snapshot(SIGNED, trusted=[UMBRELLA.verify_key])


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "FORMAT", 2)
    future = encoding.sign_snapshot(SNAPSHOT, by=UMBRELLA)
    monkeypatch.setattr(encoding, "FORMAT", 1)
    with pytest.raises(SnapshotInvalid, match="format 2"):
        encoding.verify_snapshot(future, trusted=[UMBRELLA.verify_key])


def test_a_registration_proves_the_centres_own_key() -> None:
    registration = replace(SNAPSHOT, version=0)
    assert (
        encoding.verify_entry(encoding.sign_snapshot(registration, by=CENTRE_KEY)) == registration
    )
    with pytest.raises(SnapshotInvalid):
        encoding.verify_entry(encoding.sign_snapshot(registration, by=UMBRELLA))


def test_a_registration_is_signed_with_a_key_that_is_for_signing() -> None:
    listed = replace(CENTRE, keys=(signing(CENTRE_KEY), signing(UMBRELLA, purpose=SEAL)))
    registration = replace(SNAPSHOT, version=0, centres=(listed,))
    with pytest.raises(SnapshotInvalid, match="No key"):
        encoding.verify_entry(encoding.sign_snapshot(registration, by=UMBRELLA))


#: The neutral element of the curve: one signature holds for every message.
NOBODYS = bytes([1]) + bytes(31)


def test_a_registration_with_a_key_that_is_none_is_refused() -> None:
    of_a_centre = replace(CENTRE, keys=(signing(CENTRE_KEY), signing(UMBRELLA, raw=NOBODYS)))
    of_an_authority = replace(AUTHORITY, keys=(signing(AUTHORITY_KEY, raw=NOBODYS),))
    for registration in (
        replace(SNAPSHOT, version=0, centres=(of_a_centre,)),
        replace(SNAPSHOT, version=0, authorities=(of_an_authority,)),
    ):
        with pytest.raises(SnapshotInvalid, match="is malformed"):
            encoding.verify_entry(encoding.sign_snapshot(registration, by=CENTRE_KEY))


@pytest.mark.parametrize("raw", [NOBODYS, bytes(31)])
def test_a_signing_key_that_is_none_is_as_unknown(raw: bytes) -> None:
    snapshot = replace(
        SNAPSHOT,
        centres=(replace(CENTRE, keys=(signing(CENTRE_KEY, raw=raw),)),),
        authorities=(replace(AUTHORITY, keys=(signing(AUTHORITY_KEY, raw=raw),)),),
    )
    directory = Directory(snapshot, digest="")
    assert directory.verify_key(AUTHORITY.id, AUTHORITY_KEY.kid) is None
    assert directory.receipt_key("krz", CENTRE_KEY.kid) is None


def test_directory_answers_by_id_fingerprint_and_key() -> None:
    directory = Directory(SNAPSHOT, digest=encoding.digest(SIGNED))
    assert directory.centre("krz") == CENTRE
    assert directory.centre("nord") is None
    assert directory.authority(AUTHORITY.id) == AUTHORITY
    assert directory.authorities_of("krz") == (AUTHORITY,)
    listed = directory.verify_key(AUTHORITY.id, AUTHORITY_KEY.kid)
    assert listed is not None
    assert listed.key == AUTHORITY_KEY.verify_key
    assert directory.verify_key(AUTHORITY.id, CENTRE_KEY.kid) is None
    assert directory.verify_key(uuid4(), AUTHORITY_KEY.kid) is None
    listed = directory.receipt_key("krz", CENTRE_KEY.kid)
    assert listed is not None
    assert listed.key == CENTRE_KEY.verify_key
    assert directory.receipt_key("nord", CENTRE_KEY.kid) is None
    # a sealing key never verifies
    assert directory.verify_key(AUTHORITY.id, SEALING.kid) is None
    key = directory.seal_key(AUTHORITY.id)
    assert key is not None
    assert key.raw == SEALING.public.raw
    assert directory.seal_key(uuid4()) is None


@pytest.mark.parametrize(
    ("days", "grade"),
    [(0, AgeGrade.FRESH), (2, AgeGrade.STALE), (8, AgeGrade.OLD), (31, AgeGrade.EXPIRED)],
)
def test_age_is_graded(days: int, grade: AgeGrade) -> None:
    directory = Directory(SNAPSHOT, digest="")
    assert directory.age_grade(NOW + timedelta(days=days)) is grade

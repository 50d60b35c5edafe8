"""Snapshots as signed bytes. The signature covers the carried bytes; nothing is encoded again."""

from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from amtsbruecke.directory.v1beta1 import directory_service_pb2 as pb
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from centre.directory.errors import SnapshotInvalid
from centre.directory.records import (
    ACTIVE,
    SEAL,
    SIGN,
    SUSPENDED,
    Area,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.keys import sign
from centre.keys.errors import KeyMalformed, SignatureInvalid
from centre.keys.sign import SigningKey, VerifyKey

FORMAT: Final = 1
#: 31,000 records need about 28 MB; a larger answer is not read at all.
MAX_SIZE: Final = 64 * 1024 * 1024

_STATES: Final = {ACTIVE: pb.STATE_ACTIVE, SUSPENDED: pb.STATE_SUSPENDED}
_STATE_NAMES: Final = {number: name for name, number in _STATES.items()}
_PURPOSES: Final = {SIGN: pb.KEY_PURPOSE_SIGN, SEAL: pb.KEY_PURPOSE_SEAL}
_PURPOSE_NAMES: Final = {number: name for name, number in _PURPOSES.items()}


def digest(signed: bytes) -> str:
    """Return the SHA-256 of a signed snapshot in hexadecimal digits: what people compare."""
    return sha256(signed).hexdigest()


def sign_snapshot(snapshot: Snapshot, *, by: SigningKey) -> bytes:
    """Return the snapshot as bytes with a signature."""
    body = _snapshot(snapshot).SerializeToString(deterministic=True)
    signature = by.sign(context=sign.DIRECTORY, message=body)
    signed = pb.SignedSnapshot(
        snapshot=body, signatures=[pb.SnapshotSignature(key_id=by.kid, value=signature)]
    )
    return signed.SerializeToString(deterministic=True)


def verify_snapshot(signed: bytes, *, trusted: Collection[VerifyKey]) -> Snapshot:
    """Return the snapshot if a trusted key signed exactly these bytes; else `SnapshotInvalid`."""
    message = _parse(signed)
    keys = {key.kid: key for key in trusted}
    for signature in message.signatures:
        if (key := keys.get(signature.key_id)) is None:
            continue
        try:
            key.verify(context=sign.DIRECTORY, message=message.snapshot, signature=signature.value)
        except SignatureInvalid as error:
            raise SnapshotInvalid("The signature does not fit the directory's bytes.") from error
        return _read(message.snapshot)
    raise SnapshotInvalid("No key that we trust has signed this directory.")


def verify_entry(signed: bytes) -> Snapshot:
    """Return a centre's registration if the centre's own key signed it; else `SnapshotInvalid`.

    This proves that whoever wrote it holds the key, not who that is: the umbrella organisation
    compares the fingerprint with the centre by another way.
    """
    snapshot = _read(_parse(signed).snapshot)
    keys = [
        _signing_key(key) for each in snapshot.centres for key in each.keys if key.purpose == SIGN
    ]
    for each in snapshot.authorities:
        for key in each.keys:
            if key.purpose == SIGN:
                _signing_key(key)
    return verify_snapshot(signed, trusted=keys)


def _signing_key(key: PublicKey) -> VerifyKey:
    try:
        return VerifyKey.from_bytes(key.raw)
    except KeyMalformed as error:
        raise SnapshotInvalid(f"The key {key.kid} is malformed.") from error


def read_trusted(signed: bytes) -> Snapshot:
    """Return a snapshot that was verified when it was stored."""
    return _read(_parse(signed).snapshot)


def _parse(signed: bytes) -> pb.SignedSnapshot:
    if len(signed) > MAX_SIZE:
        raise SnapshotInvalid(f"A directory of {len(signed)} bytes is larger than {MAX_SIZE}.")
    try:
        return pb.SignedSnapshot.FromString(signed)
    except DecodeError as error:
        raise SnapshotInvalid("These bytes are no directory.") from error


def _read(body: bytes) -> Snapshot:
    try:
        message = pb.Snapshot.FromString(body)
        if message.format != FORMAT:
            raise SnapshotInvalid(f"The format {message.format} of this directory is unknown here.")
        return Snapshot(
            version=message.version,
            published_at=_moment(message.publish_time),
            expires_at=_moment(message.expire_time),
            centres=tuple(_read_centre(each) for each in message.centres),
            authorities=tuple(_read_authority(each) for each in message.authorities),
        )
    except (DecodeError, ValueError, KeyError, OverflowError) as error:
        raise SnapshotInvalid("The directory holds records that cannot be read.") from error


def _snapshot(snapshot: Snapshot) -> pb.Snapshot:
    return pb.Snapshot(
        format=FORMAT,
        version=snapshot.version,
        publish_time=_stamp(snapshot.published_at),
        expire_time=_stamp(snapshot.expires_at),
        centres=[
            pb.Centre(
                id=each.id,
                name=each.name,
                endpoint=each.endpoint,
                state=_STATES[each.state],
                certificate_fingerprints=each.fingerprints,
                keys=[_key(key) for key in each.keys],
            )
            for each in sorted(snapshot.centres, key=lambda record: record.id)
        ],
        authorities=[
            pb.Authority(
                id=each.id.bytes,
                name=each.name,
                kind=each.kind,
                ags=each.ags,
                ars=each.ars,
                home_centre=each.home_centre,
                state=_STATES[each.state],
                keys=[_key(key) for key in each.keys],
                areas=[
                    pb.Area(ars_prefix=area.ars_prefix, postcode=area.postcode, place=area.place)
                    for area in each.areas
                ],
                postal_address=each.postal_address,
                email=each.email,
            )
            for each in sorted(snapshot.authorities, key=lambda record: record.id)
        ],
    )


def _read_centre(message: pb.Centre) -> CentreRecord:
    return CentreRecord(
        id=message.id,
        name=message.name,
        endpoint=message.endpoint,
        state=_STATE_NAMES[message.state],
        fingerprints=tuple(message.certificate_fingerprints),
        keys=tuple(_read_key(key) for key in message.keys),
    )


def _read_authority(message: pb.Authority) -> AuthorityRecord:
    return AuthorityRecord(
        id=UUID(bytes=message.id),
        name=message.name,
        kind=message.kind,
        ags=message.ags,
        ars=message.ars,
        home_centre=message.home_centre,
        state=_STATE_NAMES[message.state],
        keys=tuple(_read_key(key) for key in message.keys),
        areas=tuple(
            Area(ars_prefix=area.ars_prefix, postcode=area.postcode, place=area.place)
            for area in message.areas
        ),
        postal_address=message.postal_address,
        email=message.email,
    )


def _key(key: PublicKey) -> pb.PublicKey:
    return pb.PublicKey(
        key_id=key.kid,
        purpose=_PURPOSES[key.purpose],
        suite=key.suite,
        raw=key.raw,
        start_time=_stamp(key.not_before),
        end_time=_stamp(key.not_after) if key.not_after else None,
    )


def _read_key(message: pb.PublicKey) -> PublicKey:
    return PublicKey(
        kid=message.key_id,
        purpose=_PURPOSE_NAMES[message.purpose],
        suite=message.suite,
        raw=message.raw,
        not_before=_moment(message.start_time),
        not_after=_moment(message.end_time) if message.HasField("end_time") else None,
    )


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)

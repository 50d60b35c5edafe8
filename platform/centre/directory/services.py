"""Writes of the directory: a centre registers, the umbrella publishes, a centre applies."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.directory import encoding, selectors
from centre.directory.errors import EntryInvalid, SnapshotForked, SnapshotInvalid, SnapshotOutdated
from centre.directory.models import CentreEntry, DirectorySnapshot
from centre.directory.records import (
    ACTIVE,
    SUSPENDED,
    Area,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.keys import keystore
from centre.keys.keystore import PublicHalf
from centre.keys.sign import VerifyKey
from centre.tenancy.context import public_scope

LIFETIME: Final = timedelta(days=7)
#: Versions of centres may run apart by this much before a snapshot counts as from the future.
_CLOCK_SKEW: Final = timedelta(minutes=10)
#: By whether the centre is suspended from now on.
_TOLD: Final = {
    True: AuditEvent.DIRECTORY_CENTRE_SUSPENDED,
    False: AuditEvent.DIRECTORY_CENTRE_RESUMED,
}


class Hosted(Protocol):
    """A municipality as the registry knows it."""

    @property
    def authority_id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def ags(self) -> str: ...
    @property
    def ars(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def tenant_role(self) -> str: ...


def authority_record(
    *,
    municipality: Hosted,
    areas: Sequence[Area],
    postal_address: str = "",
    email: str = "",
) -> AuthorityRecord:
    """Describe a municipality hosted here for the directory, with its public keys."""
    return AuthorityRecord(
        id=municipality.authority_id,
        name=municipality.name,
        home_centre=settings.AMTSBRUECKE.centre,
        ags=municipality.ags,
        ars=municipality.ars,
        state=ACTIVE if municipality.state == ACTIVE else SUSPENDED,
        keys=_public_keys(keystore.authority_public_keys(municipality.tenant_role)),
        areas=tuple(areas),
        postal_address=postal_address,
        email=email,
    )


def create_centre_keys(*, by: Actor) -> None:
    """Make sure that the centre can sign receipts, trails and registrations. May be repeated."""
    with public_scope(), transaction.atomic():
        _one_at_a_time()
        if keystore.centre_public_keys():
            return
        keystore.create_centre_keys()
        centre = settings.AMTSBRUECKE.centre
        audit.record(
            events=[Entry(event=AuditEvent.KEY_CENTRE_CREATED, by=by, subject=centre, detail={})]
        )


def entry(
    *,
    name: str,
    endpoint: str,
    fingerprints: Sequence[str],
    authorities: Sequence[AuthorityRecord],
) -> bytes:
    """Return this centre's registration for the umbrella, signed with the centre's key."""
    now = clock.now()
    centre = CentreRecord(
        id=settings.AMTSBRUECKE.centre,
        name=name,
        endpoint=endpoint,
        fingerprints=tuple(fingerprints),
        keys=_public_keys(keystore.centre_public_keys()),
    )
    registration = Snapshot(
        version=0,
        published_at=now,
        expires_at=now + LIFETIME,
        centres=(centre,),
        authorities=tuple(authorities),
    )
    return encoding.sign_snapshot(registration, by=keystore.centre_signing_key())


def publish(*, entries: Iterable[bytes] = (), by: Actor, renew: bool = False) -> int:
    """Umbrella: take registrations and publish the next version; return the version in force.

    All registrations count or none: `EntryInvalid` names the faulty one. Without a change, and
    unless `renew` asks for fresh dates, the version stays what it is.
    """
    with public_scope(), transaction.atomic():
        _one_at_a_time()
        for signed in entries:
            _register(signed)
        newest = selectors.signed_snapshot()
        previous = encoding.read_trusted(newest[1]) if newest else None
        centres, authorities = _assemble()
        if (
            previous is not None
            and not renew
            and (previous.centres, previous.authorities) == (centres, authorities)
        ):
            return previous.version
        now = clock.now()
        snapshot = Snapshot(
            version=(previous.version if previous else 0) + 1,
            published_at=now,
            expires_at=now + LIFETIME,
            centres=centres,
            authorities=authorities,
        )
        signed = encoding.sign_snapshot(snapshot, by=keystore.centre_signing_key())
        _store(snapshot, signed)
        _record(AuditEvent.DIRECTORY_VERSION_PUBLISHED, snapshot, signed, by)
    selectors.forget()
    return snapshot.version


def suspend_centre(*, centre: str, suspended: bool, by: Actor) -> int:
    """Umbrella: take a centre out of the federation or back in, and publish that."""
    with public_scope(), transaction.atomic():
        _one_at_a_time()
        row = CentreEntry.objects.filter(centre=centre).first()
        if row is None:
            raise EntryInvalid(f"No centre {centre!r} is registered here.")
        if row.suspended != suspended:
            row.suspended = suspended
            row.save(update_fields=["suspended"])
            audit.record(events=[Entry(event=_TOLD[suspended], by=by, subject=centre, detail={})])
    return publish(by=by)


def apply(*, signed: bytes, by: Actor) -> int:
    """Centre: put a signed snapshot in force if it is trusted and newer; return the version.

    Repeating a version changes nothing. Raises `SnapshotInvalid`, `SnapshotOutdated` or
    `SnapshotForked`, and then the last good version stays in force.
    """
    trusted = [VerifyKey.from_bytes(raw) for raw in settings.AMTSBRUECKE.umbrella_keys]
    snapshot = encoding.verify_snapshot(signed, trusted=trusted)
    _refuse_nonsense(snapshot)
    with public_scope(), transaction.atomic():
        _one_at_a_time()
        newest = selectors.signed_snapshot()
        if newest is not None and snapshot.version <= newest[0]:
            if snapshot.version < newest[0]:
                raise SnapshotOutdated(
                    f"Version {snapshot.version} is older than version {newest[0]} in force."
                )
            if newest[1] != signed:
                raise SnapshotForked
            return snapshot.version
        _store(snapshot, signed)
        _record(AuditEvent.DIRECTORY_VERSION_APPLIED, snapshot, signed, by)
    selectors.forget()
    return snapshot.version


def _one_at_a_time() -> None:
    """Let two writers of the directory wait for each other until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('amtsbruecke directory', 0))")


def _refuse_nonsense(snapshot: Snapshot) -> None:
    """Check what a signature does not: the signer may err."""
    if snapshot.version < 1:
        raise SnapshotInvalid("A registration of a centre is no directory.")
    if snapshot.published_at > clock.now() + _CLOCK_SKEW:
        raise SnapshotInvalid("The directory was published in the future. Check the clocks.")
    centres = {centre.id for centre in snapshot.centres}
    if len(centres) != len(snapshot.centres):
        raise SnapshotInvalid("The directory lists a centre twice.")
    if len({each.id for each in snapshot.authorities}) != len(snapshot.authorities):
        raise SnapshotInvalid("The directory lists an authority twice.")
    homeless = [each.name for each in snapshot.authorities if each.home_centre not in centres]
    if homeless:
        raise SnapshotInvalid(f"The directory has no home centre for {homeless[0]}.")


def _register(signed: bytes) -> None:
    try:
        registration = encoding.verify_entry(signed)
    except SnapshotInvalid as error:
        raise EntryInvalid(f"The registration cannot be used. {error.message}") from error
    if registration.version != 0 or len(registration.centres) != 1:
        raise EntryInvalid("A registration is about one centre.")
    (centre,) = registration.centres
    for authority in registration.authorities:
        if authority.home_centre != centre.id:
            raise EntryInvalid(f"{authority.name} is not at home at {centre.id}.")
    present = CentreEntry.objects.filter(centre=centre.id).first()
    if present is not None:
        (before,) = encoding.read_trusted(bytes(present.signed)).centres
        if not {key.kid for key in before.keys} & {key.kid for key in centre.keys}:
            raise EntryInvalid(
                f"The registration of {centre.id} shares no key with the one before. "
                "A centre that has lost its keys is admitted anew."
            )
    CentreEntry.objects.update_or_create(
        centre=centre.id, defaults={"signed": signed, "registered_at": clock.now()}
    )


def _assemble() -> tuple[tuple[CentreRecord, ...], tuple[AuthorityRecord, ...]]:
    centres: list[CentreRecord] = []
    authorities: dict[object, AuthorityRecord] = {}
    for row in CentreEntry.objects.order_by("centre"):
        registration = encoding.read_trusted(bytes(row.signed))
        (centre,) = registration.centres
        centres.append(replace(centre, state=SUSPENDED if row.suspended else centre.state))
        for authority in registration.authorities:
            if (other := authorities.get(authority.id)) is not None:
                raise EntryInvalid(
                    f"{authority.name} is claimed by {other.home_centre} and {centre.id}. "
                    "The old centre must give it up first."
                )
            authorities[authority.id] = authority
    return tuple(centres), tuple(sorted(authorities.values(), key=lambda each: each.id))


def _store(snapshot: Snapshot, signed: bytes) -> None:
    DirectorySnapshot.objects.create(
        version=snapshot.version,
        signed=signed,
        digest=encoding.digest(signed),
        published_at=snapshot.published_at,
        expires_at=snapshot.expires_at,
        applied_at=clock.now(),
    )


def _record(event: AuditEvent, snapshot: Snapshot, signed: bytes, by: Actor) -> None:
    detail = {"digest": encoding.digest(signed), "centres": str(len(snapshot.centres))}
    audit.record(
        events=[Entry(event=event, by=by, subject=f"version {snapshot.version}", detail=detail)]
    )


def _public_keys(halves: Iterable[PublicHalf]) -> tuple[PublicKey, ...]:
    return tuple(
        PublicKey(
            kid=half.kid,
            purpose=half.purpose,
            suite=half.suite,
            raw=half.raw,
            not_before=half.not_before,
        )
        for half in halves
    )

"""Authorities with keys, a small directory, and letters between them, genuine or forged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import envelope_pb2

from centre.directory.interface import ListedKey
from centre.directory.records import SIGN, PublicKey
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys import sign
from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey
from federation.protocol import merkle
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.wire.envelope import write_letter


@dataclass(frozen=True)
class Office:
    """An authority with its private keys."""

    home_centre: str
    id: UUID = field(default_factory=new_id)
    signing: SigningKey = field(default_factory=SigningKey.generate)
    sealing: SealPrivateKey = field(
        default_factory=lambda: SealPrivateKey.generate(SealSuite.CLASSICAL)
    )
    state: str = "active"
    #: When its key to sign is valid.
    not_before: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    not_after: datetime | None = None


@dataclass(frozen=True)
class Centre:
    id: str
    fingerprints: tuple[str, ...] = ()
    state: str = "active"


@dataclass(frozen=True)
class SmallDirectory:
    """Answers what the gateway asks of the directory."""

    version: int
    centres: dict[str, Centre]
    offices: dict[UUID, Office]

    def centre(self, centre_id: str, /) -> Centre | None:
        return self.centres.get(centre_id)

    def authority(self, authority_id: UUID, /) -> Office | None:
        return self.offices.get(authority_id)

    def verify_key(self, authority_id: UUID, kid: str, /) -> ListedKey | None:
        office = self.offices.get(authority_id)
        if office is None or office.signing.kid != kid:
            return None
        key = office.signing.verify_key
        record = PublicKey(
            kid=kid,
            purpose=SIGN,
            suite=sign.SUITE,
            raw=key.raw,
            not_before=office.not_before,
            not_after=office.not_after,
        )
        return ListedKey(key, record)

    def with_centre(self, centre: Centre) -> "SmallDirectory":
        return replace(self, version=self.version + 1, centres={**self.centres, centre.id: centre})

    def with_office(self, office: Office) -> "SmallDirectory":
        return replace(self, version=self.version + 1, offices={**self.offices, office.id: office})

    def without_office(self, office: Office) -> "SmallDirectory":
        others = {each.id: each for each in self.offices.values() if each.id != office.id}
        return replace(self, version=self.version + 1, offices=others)


def message(recipient: UUID, **changes: Any) -> OutboundMessage:
    fields: dict[str, Any] = {
        "message_id": new_id(),
        "recipient": recipient,
        "case_id": new_id(),
        "case_sequence": 1,
        "kind": MessageKind.ASSISTANCE_REQUEST,
        "schema_version": 1,
        "payload": b"content " * 64,
        "expires_at": clock.in_future(days=7),
    }
    return OutboundMessage(**{**fields, **changes})


def letter(
    sender: Office,
    recipient: Office,
    *,
    created_at: datetime | None = None,
    origin: str | None = None,
    signer: Office | None = None,
    **changes: Any,
) -> bytes:
    """Return a letter as it travels."""
    return write_letter(
        message(recipient.id, **changes),
        origin_centre=origin or sender.home_centre,
        sender=sender.id,
        created_at=created_at or clock.now() - timedelta(seconds=1),
        to=recipient.sealing.public,
        by=(signer or sender).signing,
    ).item


def forged(item: bytes, sender: Office, change: Callable[[envelope_pb2.Envelope], None]) -> bytes:
    """Return a letter whose envelope was changed and then signed by its sender all the same."""
    outer = envelope_pb2.SignedEnvelope.FromString(item)
    inner = envelope_pb2.Envelope.FromString(outer.envelope)
    change(inner)
    outer.envelope = inner.SerializeToString()
    outer.signature.value = sender.signing.sign(context=sign.ENVELOPE, message=outer.envelope)
    return outer.SerializeToString()


def tampered(item: bytes, change: Callable[[envelope_pb2.Envelope], None]) -> bytes:
    """Return a letter whose envelope was changed on the way, under the old signature."""
    outer = envelope_pb2.SignedEnvelope.FromString(item)
    inner = envelope_pb2.Envelope.FromString(outer.envelope)
    change(inner)
    outer.envelope = inner.SerializeToString()
    return outer.SerializeToString()


def letters_together(
    sender: Office, recipient: Office, count: int, *, instead: Mapping[int, bytes] | None = None
) -> list[bytes]:
    """Return letters that one signature covers, however many; `instead`: whose envelope to take.

    Written apart from the product, after the words of the protocol.
    """
    outers = [
        envelope_pb2.SignedEnvelope.FromString((instead or {}).get(at) or letter(sender, recipient))
        for at in range(count)
    ]
    leaves = [sha256(b"\0" + outer.envelope).digest() for outer in outers]
    value = sender.signing.sign(
        context=b"amtsbruecke envelopes v1",
        message=count.to_bytes(4, "big") + merkle.root(leaves),
    )
    signature = envelope_pb2.Signature(
        signer=sender.id.bytes, key_id=sender.signing.kid, value=value
    )
    for index, outer in enumerate(outers):
        outer.signature.CopyFrom(signature)
        path = b"".join(merkle.proof(leaves, index))
        outer.inclusion.CopyFrom(envelope_pb2.Inclusion(size=count, index=index, path=path))
    return [outer.SerializeToString() for outer in outers]

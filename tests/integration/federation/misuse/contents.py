"""What the letter says, under a genuine signature."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from amtsbruecke.exchange.v1beta1 import envelope_pb2

from centre.kernel import clock
from centre.kernel.ids import new_id
from federation.protocol import limits
from federation.protocol.reasons import Reason
from tests.factories.letters import forged
from tests.integration.federation.misuse.hands import honest, item
from tests.integration.federation.misuse.table import Misuse, group
from tests.plugins.gateway import Gateway

_GROUP = group("What the letter says")


@_GROUP.case(Reason.EXPIRED)
async def letter_that_has_expired(gateway: Gateway) -> str:
    written = clock.now() - timedelta(days=2)
    return await item(
        gateway,
        honest(gateway, created_at=written, expires_at=written + timedelta(days=1)),
    )


@_GROUP.case(Reason.CREATED_IN_FUTURE)
async def letter_from_the_future(gateway: Gateway) -> str:
    return await item(gateway, honest(gateway, created_at=clock.in_future(hours=1)))


def _forgery(change: Callable[[envelope_pb2.Envelope], None]) -> Callable[[Gateway], bytes]:
    return lambda gateway: forged(honest(gateway), gateway.world.offices["kiel"], change)


def _set(**fields: Any) -> Callable[[envelope_pb2.Envelope], None]:
    def change(envelope: envelope_pb2.Envelope) -> None:
        for name, value in fields.items():
            setattr(envelope, name, value)

    return change


def _expire_late(envelope: envelope_pb2.Envelope) -> None:
    envelope.expire_time.seconds += 500 * 86_400


def _expire_before_creation(envelope: envelope_pb2.Envelope) -> None:
    envelope.expire_time.seconds = envelope.create_time.seconds - 1


def _no_expiry(envelope: envelope_pb2.Envelope) -> None:
    envelope.ClearField("expire_time")


def _finer_than_time(envelope: envelope_pb2.Envelope) -> None:
    envelope.create_time.nanos = 1


def _no_seal(envelope: envelope_pb2.Envelope) -> None:
    envelope.payload.sealed = b""


def _blob_of_no_size(envelope: envelope_pb2.Envelope) -> None:
    envelope.blobs.add(digest=bytes(32), size=0)


def _blob_without_digest(envelope: envelope_pb2.Envelope) -> None:
    envelope.blobs.add(digest=b"short", size=5)


def _blob_twice(envelope: envelope_pb2.Envelope) -> None:
    for _ in range(2):
        envelope.blobs.add(digest=bytes(32), size=5)


def _too_many_blobs(envelope: envelope_pb2.Envelope) -> None:
    for number in range(limits.MAX_BLOBS + 1):
        envelope.blobs.add(digest=number.to_bytes(32, "big"), size=5)


def _missing_blob(envelope: envelope_pb2.Envelope) -> None:
    envelope.blobs.add(digest=bytes(32), size=5)


_BAD_ENVELOPES: dict[str, tuple[Reason, Callable[[envelope_pb2.Envelope], None]]] = {
    "format_of_tomorrow": (Reason.VERSION_UNSUPPORTED, _set(format=2)),
    "format_missing": (Reason.VERSION_UNSUPPORTED, _set(format=0)),
    "kind_unspecified": (Reason.KIND_UNKNOWN, _set(kind=0)),
    "kind_unknown": (Reason.KIND_UNKNOWN, _set(kind=99)),
    "message_id_missing": (Reason.ENVELOPE_MALFORMED, _set(message_id=b"")),
    "message_id_of_another_version": (
        Reason.ENVELOPE_MALFORMED,
        _set(message_id=bytes.fromhex("f81d4fae7dec41d0a76500a0c91e6bf6")),
    ),
    "recipient_missing": (Reason.ENVELOPE_MALFORMED, _set(recipient=b"")),
    "case_missing": (Reason.ENVELOPE_MALFORMED, _set(case_id=b"")),
    "sequence_missing": (Reason.ENVELOPE_MALFORMED, _set(case_sequence=0)),
    "sequence_beyond_all_numbers": (Reason.ENVELOPE_MALFORMED, _set(case_sequence=2**64 - 1)),
    "schema_version_missing": (Reason.ENVELOPE_MALFORMED, _set(schema_version=0)),
    "origin_of_strange_letters": (Reason.ENVELOPE_MALFORMED, _set(origin_centre="nord\0")),
    "traceparent_too_long": (Reason.ENVELOPE_MALFORMED, _set(traceparent="x" * 56)),
    "lifetime_too_long": (Reason.ENVELOPE_MALFORMED, _expire_late),
    "expiry_before_creation": (Reason.ENVELOPE_MALFORMED, _expire_before_creation),
    "expiry_missing": (Reason.ENVELOPE_MALFORMED, _no_expiry),
    "time_in_nanoseconds": (Reason.ENVELOPE_MALFORMED, _finer_than_time),
    "content_missing": (Reason.ENVELOPE_MALFORMED, _no_seal),
    "document_of_no_size": (Reason.ENVELOPE_MALFORMED, _blob_of_no_size),
    "document_without_digest": (Reason.ENVELOPE_MALFORMED, _blob_without_digest),
    "document_named_twice": (Reason.ENVELOPE_MALFORMED, _blob_twice),
    "too_many_documents": (Reason.ENVELOPE_MALFORMED, _too_many_blobs),
    "document_that_is_not_here": (Reason.BLOB_MISSING, _missing_blob),
    "case_sequence_beyond_the_signed": (Reason.ENVELOPE_MALFORMED, _set(case_sequence=2**63)),
    "case_id_of_another_version": (Reason.ENVELOPE_MALFORMED, _set(case_id=b"short")),
    "sender_missing": (Reason.ENVELOPE_MALFORMED, _set(sender=b"")),
    "origin_missing": (Reason.ENVELOPE_MALFORMED, _set(origin_centre="")),
    "creation_missing": (Reason.ENVELOPE_MALFORMED, lambda e: e.ClearField("create_time")),
    "creation_before_all_time": (
        Reason.ENVELOPE_MALFORMED,
        lambda e: setattr(e.create_time, "seconds", -(2**40)),
    ),
    "payload_missing": (Reason.ENVELOPE_MALFORMED, lambda e: e.ClearField("payload")),
    "suite_missing": (Reason.ENVELOPE_MALFORMED, lambda e: setattr(e.payload, "suite", "")),
    "commitment_missing": (
        Reason.ENVELOPE_MALFORMED,
        lambda e: setattr(e.payload, "commitment", b""),
    ),
    "document_larger_than_allowed": (
        Reason.ENVELOPE_MALFORMED,
        lambda e: e.blobs.add(digest=bytes(32), size=2**60),
    ),
    "sender_exchanged": (Reason.SIGNATURE_INVALID, _set(sender=new_id().bytes)),
}
for _name, (_reason, _change) in _BAD_ENVELOPES.items():

    def _bad_envelope(make: Callable[[Gateway], bytes]) -> Misuse:
        async def misuse(gateway: Gateway) -> str:
            return await item(gateway, make(gateway))

        return misuse

    _GROUP.add(
        f"signed_envelope_with_{_name}",
        _bad_envelope(_forgery(_change)),
        _reason,
        alarm=_reason is Reason.SIGNATURE_INVALID,
    )


@_GROUP.case(Reason.ENVELOPE_NOT_CANONICAL)
async def signed_envelope_with_a_field_of_tomorrow(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(honest(gateway))
    outer.envelope += b"\xa2\x06\x03new"  # field 100
    kiel = gateway.world.offices["kiel"]
    outer.signature.value = kiel.signing.sign(
        context=b"amtsbruecke envelope v1", message=outer.envelope
    )
    return await item(gateway, outer.SerializeToString())

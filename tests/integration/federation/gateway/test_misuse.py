"""What a hostile or broken peer may try. Each case: the documented answer, nothing stored, an alarm
where it is due, and honest traffic goes on afterwards.

A case is a function that misuses the gateway and returns how it was answered: the reason of a call
that was refused, or of an item. The table tells what is expected.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import envelope_pb2, link_service_pb2_grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from centre.kernel import clock
from centre.kernel.ids import new_id
from federation.protocol import limits
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error
from tests.factories.certificates import CertificateAuthority
from tests.factories.letters import Centre, Office, forged, letter, tampered
from tests.plugins.gateway import PEER, Gateway, make_hello

type Misuse = Callable[[Gateway], Awaitable[str]]


@dataclass(frozen=True)
class Case:
    name: str
    misuse: Misuse
    reason: Reason
    alarm: bool = False


CASES: list[Case] = []


def case(reason: Reason, *, alarm: bool = False) -> Callable[[Misuse], Misuse]:
    """Enter a misuse into the table."""

    def enter(misuse: Misuse) -> Misuse:
        CASES.append(Case(misuse.__name__, misuse, reason, alarm))
        return misuse

    return enter


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_misuse_is_refused_and_leaves_nothing(gateway: Gateway, case: Case) -> None:
    world = gateway.world
    before = world.directory
    assert await case.misuse(gateway) == case.reason
    assert gateway.stored() == []
    assert (case.reason in gateway.alarms()) == case.alarm
    # An honest letter goes through, whatever happened before.
    world.directory = before
    await gateway.lookout.refresh()
    position = gateway.position()
    async with gateway.stream(acked_lseq=position, next_lseq=position + 1) as stream:
        receipt = await stream.deliver(position + 1, _honest(gateway))
    assert receipt.exceptions == ()
    assert len(gateway.stored()) == 1


# -- how a misuse is answered ----------------------------------------------------------------


def _honest(gateway: Gateway, **changes: Any) -> bytes:
    return letter(gateway.world.offices["kiel"], gateway.world.offices["alpha"], **changes)


async def _item(gateway: Gateway, *items: bytes) -> str:
    """Send items in an honest frame; return the reason why the last one was refused."""
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *items)
    verdict = receipt.verdict(receipt.last_lseq)
    assert not verdict.status.held
    return str(verdict.reason)


async def _refusal(awaitable: Awaitable[Any]) -> str:
    """Return the reason why a call was refused, as a sender reads it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return str(from_rpc_error(caught.value).reason)


async def _hello(gateway: Gateway, certificate: Any = None, **hello: Any) -> str:
    async def attempt() -> None:
        async with gateway.stream(certificate, **hello):
            pytest.fail("the stream was opened")

    return await _refusal(attempt())


async def _frames(gateway: Gateway, *requests: pb.ExchangeRequest | bytes) -> str:
    """Open a stream as the bytes go, send requests and read until it ends."""

    async def attempt() -> None:
        async with gateway.channel() as channel:
            call: Any = channel.stream_stream(
                "/amtsbruecke.exchange.v1beta1.LinkService/Exchange"
            )()
            for request in requests:
                raw = request if isinstance(request, bytes) else request.SerializeToString()
                await call.write(raw)
            while await call.read() is not grpc.aio.EOF:
                pass

    return await _refusal(attempt())


HELLO = pb.ExchangeRequest(hello=make_hello())


def _batch(first_lseq: int, *items: bytes) -> pb.ExchangeRequest:
    return pb.ExchangeRequest(batch=pb.Batch(first_lseq=first_lseq, items=items))


# -- who calls -------------------------------------------------------------------------------


@case(Reason.UNAVAILABLE)
async def certificate_of_another_authority(gateway: Gateway) -> str:
    return await _hello(gateway, CertificateAuthority("Fremd").issue(PEER))


@case(Reason.UNAVAILABLE)
async def no_certificate(gateway: Gateway) -> str:
    credentials = grpc.ssl_channel_credentials(gateway.world.authority.pem)
    options = [("grpc.ssl_target_name_override", "krz.centre.amtsbruecke.internal")]
    async with grpc.aio.secure_channel(gateway.address, credentials, options) as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return await _refusal(stub.GetPosition(pb.GetPositionRequest(hello=make_hello())))


@case(Reason.UNAVAILABLE)
async def no_tls(gateway: Gateway) -> str:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return await _refusal(stub.GetPosition(pb.GetPositionRequest(hello=make_hello())))


@case(Reason.PEER_UNKNOWN)
async def centre_that_the_directory_does_not_know(gateway: Gateway) -> str:
    return await _hello(gateway, gateway.world.authority.issue("mars"), origin="mars")


@case(Reason.CERTIFICATE_UNKNOWN, alarm=True)
async def another_certificate_for_a_known_centre(gateway: Gateway) -> str:
    return await _hello(gateway, gateway.world.authority.issue(PEER))


@case(Reason.PEER_UNKNOWN)
async def certificate_without_a_centre(gateway: Gateway) -> str:
    return await _hello(gateway, gateway.world.authority.issue(PEER, uris=[]))


@case(Reason.PEER_UNKNOWN)
async def certificate_that_names_two_centres(gateway: Gateway) -> str:
    uris = ["urn:amtsbruecke:centre:nord", "urn:amtsbruecke:centre:sachsen"]
    return await _hello(gateway, gateway.world.authority.issue(PEER, uris=uris))


@case(Reason.PEER_UNKNOWN)
async def certificate_with_a_name_that_only_looks_right(gateway: Gateway) -> str:
    uris = ["urn:amtsbruecke:centre:nord/sachsen"]
    return await _hello(gateway, gateway.world.authority.issue(PEER, uris=uris))


@case(Reason.ORIGIN_MISMATCH, alarm=True)
async def hello_in_the_name_of_another_centre(gateway: Gateway) -> str:
    return await _hello(gateway, origin="sachsen")


async def _suspend(gateway: Gateway) -> None:
    centre = gateway.world.directory.centres[PEER]
    suspended = Centre(centre.id, centre.fingerprints, state="suspended")
    gateway.world.directory = gateway.world.directory.with_centre(suspended)
    await gateway.lookout.refresh()


@case(Reason.CENTRE_SUSPENDED, alarm=True)
async def suspended_centre(gateway: Gateway) -> str:
    await _suspend(gateway)
    return await _hello(gateway)


@case(Reason.CENTRE_SUSPENDED, alarm=True)
async def centre_that_is_suspended_while_its_stream_is_open(gateway: Gateway) -> str:
    async with gateway.stream() as stream:
        await _suspend(gateway)
        return await _refusal(stream.deliver(1, _honest(gateway)))


@case(Reason.CERTIFICATE_UNKNOWN, alarm=True)
async def certificate_that_is_withdrawn_while_its_stream_is_open(gateway: Gateway) -> str:
    async with gateway.stream() as stream:
        gateway.world.directory = gateway.world.directory.with_centre(Centre(PEER, ("00",)))
        await gateway.lookout.refresh()
        return await _refusal(stream.deliver(1, _honest(gateway)))


# -- whose letter ----------------------------------------------------------------------------


@case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_of_an_authority_of_another_centre(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await _item(gateway, letter(offices["dresden"], offices["alpha"]))


@case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_of_another_centre_relayed_under_our_own_name(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await _item(gateway, letter(offices["dresden"], offices["alpha"], origin=PEER))


@case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_that_names_another_centre_of_origin(gateway: Gateway) -> str:
    return await _item(gateway, _honest(gateway, origin="sachsen"))


@case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_in_the_name_of_the_recipient_himself(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await _item(gateway, letter(offices["beta"], offices["alpha"], origin=PEER))


@case(Reason.SIGNATURE_INVALID, alarm=True)
async def letter_signed_by_a_colleague(gateway: Gateway) -> str:
    offices = gateway.world.offices
    outer = envelope_pb2.SignedEnvelope.FromString(_honest(gateway, signer=offices["luebeck"]))
    outer.signature.signer = offices["luebeck"].id.bytes
    return await _item(gateway, outer.SerializeToString())


@case(Reason.SIGNER_UNKNOWN)
async def letter_signed_with_a_key_that_is_not_in_the_directory(gateway: Gateway) -> str:
    return await _item(gateway, _honest(gateway, signer=Office(PEER)))


@case(Reason.SIGNER_UNKNOWN)
async def letter_of_an_authority_that_nobody_knows(gateway: Gateway) -> str:
    return await _item(gateway, letter(Office(PEER), gateway.world.offices["alpha"]))


@case(Reason.AUTHORITY_SUSPENDED)
async def letter_of_a_suspended_authority(gateway: Gateway) -> str:
    kiel = gateway.world.offices["kiel"]
    suspended = Office(PEER, kiel.id, kiel.signing, kiel.sealing, state="suspended")
    gateway.world.directory = gateway.world.directory.with_office(suspended)
    await gateway.lookout.refresh()
    return await _item(gateway, _honest(gateway))


@case(Reason.RECIPIENT_UNKNOWN)
async def letter_to_an_authority_of_another_centre(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await _item(gateway, letter(offices["kiel"], offices["dresden"]))


@case(Reason.RECIPIENT_UNKNOWN)
async def letter_to_an_authority_that_the_directory_has_here_but_we_do_not(gateway: Gateway) -> str:
    guest = Office("krz")
    gateway.world.directory = gateway.world.directory.with_office(guest)
    await gateway.lookout.refresh()
    return await _item(gateway, letter(gateway.world.offices["kiel"], guest))


@case(Reason.RECIPIENT_SUSPENDED)
async def letter_to_a_suspended_authority(gateway: Gateway) -> str:
    alpha = gateway.world.offices["alpha"]
    suspended = Office("krz", alpha.id, alpha.signing, alpha.sealing, state="suspended")
    gateway.world.directory = gateway.world.directory.with_office(suspended)
    await gateway.lookout.refresh()
    return await _item(gateway, _honest(gateway))


# -- what the letter says --------------------------------------------------------------------


@case(Reason.EXPIRED)
async def letter_that_has_expired(gateway: Gateway) -> str:
    written = clock.now() - timedelta(days=2)
    return await _item(
        gateway,
        _honest(gateway, created_at=written, expires_at=written + timedelta(days=1)),
    )


@case(Reason.CREATED_IN_FUTURE)
async def letter_from_the_future(gateway: Gateway) -> str:
    return await _item(gateway, _honest(gateway, created_at=clock.in_future(hours=1)))


def _forgery(change: Callable[[envelope_pb2.Envelope], None]) -> Callable[[Gateway], bytes]:
    return lambda gateway: forged(_honest(gateway), gateway.world.offices["kiel"], change)


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
    "sender_exchanged": (Reason.SIGNATURE_INVALID, _set(sender=new_id().bytes)),
}
for _name, (_reason, _change) in _BAD_ENVELOPES.items():

    def _bad_envelope(make: Callable[[Gateway], bytes]) -> Misuse:
        async def misuse(gateway: Gateway) -> str:
            return await _item(gateway, make(gateway))

        return misuse

    CASES.append(
        Case(
            f"signed_envelope_with_{_name}",
            _bad_envelope(_forgery(_change)),
            _reason,
            alarm=_reason is Reason.SIGNATURE_INVALID,
        )
    )


@case(Reason.ENVELOPE_NOT_CANONICAL)
async def signed_envelope_with_a_field_of_tomorrow(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(_honest(gateway))
    outer.envelope += b"\xa2\x06\x03new"  # field 100
    kiel = gateway.world.offices["kiel"]
    outer.signature.value = kiel.signing.sign(
        context=b"amtsbruecke envelope v1", message=outer.envelope
    )
    return await _item(gateway, outer.SerializeToString())


# -- a flipped bit in each field -------------------------------------------------------------


def _flip(raw: bytes) -> bytes:
    return raw[:-1] + bytes((raw[-1] ^ 1,))


_FIELDS: dict[str, Callable[[envelope_pb2.Envelope], None]] = {
    "message_id": lambda e: setattr(e, "message_id", _flip(e.message_id)),
    "origin_centre": lambda e: setattr(e, "origin_centre", "nore"),
    "recipient": lambda e: setattr(e, "recipient", _flip(e.recipient)),
    "case_id": lambda e: setattr(e, "case_id", _flip(e.case_id)),
    "case_sequence": lambda e: setattr(e, "case_sequence", e.case_sequence ^ 2),
    "kind": lambda e: setattr(e, "kind", 3),
    "schema_version": lambda e: setattr(e, "schema_version", 3),
    "create_time": lambda e: setattr(e.create_time, "seconds", e.create_time.seconds ^ 1),
    "expire_time": lambda e: setattr(e.expire_time, "seconds", e.expire_time.seconds ^ 1),
    "traceparent": lambda e: setattr(e, "traceparent", "00-" + "1" * 32 + "-" + "1" * 16 + "-01"),
    "suite": lambda e: setattr(e.payload, "suite", e.payload.suite + "x"),
    "seal_key": lambda e: setattr(e.payload, "key_id", "0" * 16),
    "sealed": lambda e: setattr(e.payload, "sealed", _flip(e.payload.sealed)),
    "commitment": lambda e: setattr(e.payload, "commitment", _flip(e.payload.commitment)),
    "blobs": _missing_blob,
}
for _name, _change in _FIELDS.items():

    def _flipped(change: Callable[[envelope_pb2.Envelope], None]) -> Misuse:
        async def misuse(gateway: Gateway) -> str:
            return await _item(gateway, tampered(_honest(gateway), change))

        return misuse

    CASES.append(
        Case(f"flipped_bit_in_{_name}", _flipped(_change), Reason.SIGNATURE_INVALID, alarm=True)
    )


@case(Reason.SIGNATURE_INVALID, alarm=True)
async def flipped_bit_in_the_signature(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(_honest(gateway))
    outer.signature.value = _flip(outer.signature.value)
    return await _item(gateway, outer.SerializeToString())


@case(Reason.SIGNER_UNKNOWN)
async def flipped_bit_in_the_key_id(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(_honest(gateway))
    outer.signature.key_id = "0" * 16
    return await _item(gateway, outer.SerializeToString())


@case(Reason.ENVELOPE_MALFORMED)
async def signature_missing(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(_honest(gateway))
    outer.ClearField("signature")
    return await _item(gateway, outer.SerializeToString())


@case(Reason.ENVELOPE_MALFORMED)
async def frame_written_in_another_way(gateway: Gateway) -> str:
    """The same letter with other bytes: the unsigned frame carries padding."""
    return await _item(gateway, _honest(gateway) + b"\xa2\x06\x01x")


@case(Reason.ENVELOPE_MALFORMED)
async def item_of_garbage(gateway: Gateway) -> str:
    return await _item(gateway, b"\xff" * 500)


@case(Reason.ENVELOPE_MALFORMED)
async def item_that_is_cut_off(gateway: Gateway) -> str:
    return await _item(gateway, _honest(gateway)[:-20])


@case(Reason.ENVELOPE_TOO_LARGE)
async def item_that_is_too_large(gateway: Gateway) -> str:
    return await _item(gateway, bytes(limits.MAX_ITEM_BYTES + 1))


# -- the frames ------------------------------------------------------------------------------


@case(Reason.FRAME_MALFORMED)
async def frame_of_garbage(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, b"\xff\xff\xff\xff")


@case(Reason.HELLO_MISSING)
async def stream_that_begins_with_garbage(gateway: Gateway) -> str:
    return await _frames(gateway, b"\xff\xff\xff\xff")


@case(Reason.HELLO_MISSING)
async def stream_that_begins_with_a_batch(gateway: Gateway) -> str:
    return await _frames(gateway, _batch(1, _honest(gateway)))


@case(Reason.HELLO_MISSING)
async def stream_that_begins_with_nothing(gateway: Gateway) -> str:
    return await _frames(gateway, b"")


@case(Reason.FRAME_MALFORMED)
async def second_hello(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, HELLO)


@case(Reason.FRAME_MALFORMED)
async def empty_frame(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, b"")


@case(Reason.FRAME_MALFORMED)
async def batch_without_items(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(1))


@case(Reason.FRAME_MALFORMED)
async def batch_without_a_number(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(0, _honest(gateway)))


@case(Reason.FRAME_MALFORMED)
async def batch_beyond_all_numbers(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(2**64 - 1, _honest(gateway)))


@case(Reason.BATCH_TOO_LARGE)
async def batch_of_too_many_items(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(1, *[b"x"] * (limits.MAX_BATCH_ITEMS + 1)))


@case(Reason.BATCH_TOO_LARGE)
async def batch_of_too_many_bytes(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(1, *[bytes(limits.MIB - 1)] * 3))


@case(Reason.RATE_EXCEEDED)
async def frame_larger_than_the_transport_takes(gateway: Gateway) -> str:
    """Refused by gRPC itself, before it is read: RESOURCE_EXHAUSTED without details."""
    return await _frames(gateway, HELLO, _batch(1, *[bytes(limits.MIB)] * 6))


@case(Reason.PROTOCOL_UNSUPPORTED)
async def hello_of_another_protocol(gateway: Gateway) -> str:
    return await _hello(gateway, versions=[2, 3])


@case(Reason.PROTOCOL_UNSUPPORTED)
async def hello_of_no_protocol(gateway: Gateway) -> str:
    return await _hello(gateway, versions=[])


@case(Reason.FRAME_MALFORMED)
async def hello_that_contradicts_itself(gateway: Gateway) -> str:
    return await _hello(gateway, acked_lseq=7, next_lseq=7)


@case(Reason.SEQUENCE_GAP)
async def gap_in_the_numbers(gateway: Gateway) -> str:
    return await _frames(gateway, HELLO, _batch(2, _honest(gateway)))


@case(Reason.CREDIT_EXCEEDED, alarm=True)
async def more_letters_than_credit(gateway: Gateway) -> str:
    frames = [
        _batch(first, *[b"garbage"] * limits.MAX_BATCH_ITEMS)
        for first in range(1, 10 * limits.CREDIT_MESSAGES, limits.MAX_BATCH_ITEMS)
    ]
    return await _frames(gateway, HELLO, *frames)


# -- single calls ----------------------------------------------------------------------------


async def _deliver(gateway: Gateway, raw: bytes) -> str:
    async with gateway.channel() as channel:
        call: Any = channel.unary_unary("/amtsbruecke.exchange.v1beta1.LinkService/Deliver")
        return await _refusal(call(raw))


@case(Reason.FRAME_MALFORMED)
async def deliver_garbage(gateway: Gateway) -> str:
    return await _deliver(gateway, b"\xff\xff")


@case(Reason.FRAME_MALFORMED)
async def deliver_without_hello(gateway: Gateway) -> str:
    batch = _batch(1, _honest(gateway)).batch
    return await _deliver(gateway, pb.DeliverRequest(batch=batch).SerializeToString())


@case(Reason.FRAME_MALFORMED)
async def deliver_nothing(gateway: Gateway) -> str:
    return await _deliver(gateway, pb.DeliverRequest(hello=make_hello()).SerializeToString())


@case(Reason.SEQUENCE_GAP)
async def deliver_with_a_gap(gateway: Gateway) -> str:
    request = pb.DeliverRequest(hello=make_hello(), batch=_batch(9, _honest(gateway)).batch)
    return await _deliver(gateway, request.SerializeToString())


@case(Reason.ORIGIN_MISMATCH, alarm=True)
async def deliver_in_the_name_of_another_centre(gateway: Gateway) -> str:
    request = pb.DeliverRequest(
        hello=make_hello("sachsen"), batch=_batch(1, _honest(gateway)).batch
    )
    return await _deliver(gateway, request.SerializeToString())

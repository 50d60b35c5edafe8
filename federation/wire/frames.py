"""The first words on a link, and the checks of what follows."""

from typing import Final
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2

from federation.protocol import limits
from federation.protocol.errors import CallRefused
from federation.protocol.frames import BatchLimits, BlobHeader, Credit, Hello, Welcome
from federation.protocol.reasons import Reason
from federation.wire.convert import Malformed, read_uuid

_HASH_SIZE: Final = 32
_MAX_VERSIONS: Final = 16


def write_hello(hello: Hello) -> link_service_pb2.Hello:
    return link_service_pb2.Hello(
        origin=hello.origin,
        versions=hello.versions,
        acked_lseq=hello.acked_lseq,
        next_lseq=hello.next_lseq,
        directory_version=hello.directory_version,
        max_frame_bytes=hello.max_frame_bytes,
    )


def read_hello(pb: link_service_pb2.Hello) -> Hello:
    """Return the introduction; raise `CallRefused` where it is none."""
    if not limits.CENTRE_ID.fullmatch(pb.origin) or len(pb.versions) > _MAX_VERSIONS:
        raise CallRefused(Reason.FRAME_MALFORMED, "This is no hello.")
    if pb.next_lseq <= pb.acked_lseq:
        raise CallRefused(Reason.FRAME_MALFORMED, "The hello's numbers contradict each other.")
    if not set(pb.versions) & set(limits.PROTOCOL_VERSIONS):
        raise CallRefused(
            Reason.PROTOCOL_UNSUPPORTED,
            "No version of the protocol is spoken by both.",
            metadata={"versions": ",".join(map(str, limits.PROTOCOL_VERSIONS))},
        )
    return Hello(
        origin=pb.origin,
        acked_lseq=pb.acked_lseq,
        next_lseq=pb.next_lseq,
        versions=tuple(pb.versions),
        directory_version=pb.directory_version,
        max_frame_bytes=pb.max_frame_bytes or limits.MAX_FRAME_BYTES,
    )


def write_welcome(welcome: Welcome) -> link_service_pb2.Welcome:
    return link_service_pb2.Welcome(
        receiver=welcome.receiver,
        version=welcome.version,
        in_lseq=welcome.in_lseq,
        receipt_hash=welcome.receipt_hash,
        credit=write_credit(welcome.credit),
        limits=link_service_pb2.BatchLimits(
            max_items=welcome.limits.max_items,
            max_bytes=welcome.limits.max_bytes,
            max_item_bytes=welcome.limits.max_item_bytes,
        ),
        directory_version=welcome.directory_version,
        max_signed_together=welcome.max_signed_together,
    )


def read_welcome(pb: link_service_pb2.Welcome) -> Welcome:
    """Return the receiver's answer; raise `CallRefused` where a sender cannot work with it."""
    if pb.version not in limits.PROTOCOL_VERSIONS:
        raise CallRefused(Reason.PROTOCOL_UNSUPPORTED, f"Version {pb.version} was not offered.")
    if (
        not limits.CENTRE_ID.fullmatch(pb.receiver)
        or len(pb.receipt_hash) != _HASH_SIZE
        or not pb.limits.max_items
        or not pb.limits.max_bytes
        or not pb.limits.max_item_bytes
    ):
        raise CallRefused(Reason.FRAME_MALFORMED, "This is no welcome.")
    return Welcome(
        receiver=pb.receiver,
        version=pb.version,
        in_lseq=pb.in_lseq,
        receipt_hash=pb.receipt_hash,
        credit=read_credit(pb.credit),
        limits=BatchLimits(pb.limits.max_items, pb.limits.max_bytes, pb.limits.max_item_bytes),
        directory_version=pb.directory_version,
        max_signed_together=pb.max_signed_together,
    )


def write_credit(credit: Credit) -> link_service_pb2.Credit:
    return link_service_pb2.Credit(messages=credit.messages, bytes=credit.bytes)


def read_credit(pb: link_service_pb2.Credit) -> Credit:
    return Credit(pb.messages, pb.bytes)


def check_batch(pb: link_service_pb2.Batch, *, within: BatchLimits) -> int:
    """Return the size of a batch in bytes; raise `CallRefused` where the frame cannot be taken.

    An item that is too large is not the frame's fault: `read_outer` refuses it alone.
    """
    if not pb.first_lseq or not pb.items:
        raise CallRefused(Reason.FRAME_MALFORMED, "This batch has no number or no letters.")
    size = sum(map(len, pb.items))
    if len(pb.items) > within.max_items or size > within.max_bytes:
        raise CallRefused(
            Reason.BATCH_TOO_LARGE,
            f"The batch has {len(pb.items)} letters and {size} bytes.",
            metadata={"max_items": str(within.max_items), "max_bytes": str(within.max_bytes)},
        )
    return size


def write_blob_header(header: BlobHeader) -> blob_service_pb2.BlobHeader:
    return blob_service_pb2.BlobHeader(
        sender=header.sender.bytes,
        recipient=header.recipient.bytes,
        digest=header.digest,
        size=header.size,
        offset=header.offset,
    )


def read_blob_header(pb: blob_service_pb2.BlobHeader) -> BlobHeader:
    """Return the description of an upload; raise `CallRefused` where it is none."""
    sender, recipient = _authorities(pb.sender, pb.recipient)
    if len(pb.digest) != _HASH_SIZE or not pb.size or pb.offset > pb.size:
        raise CallRefused(Reason.BLOB_MALFORMED, "The header's figures are impossible.")
    if pb.size > limits.MAX_BLOB_BYTES:
        raise CallRefused(
            Reason.BLOB_TOO_LARGE,
            f"The document has {pb.size} bytes.",
            metadata={"max_bytes": str(limits.MAX_BLOB_BYTES)},
        )
    return BlobHeader(
        sender=sender, recipient=recipient, digest=pb.digest, size=pb.size, offset=pb.offset
    )


def read_blob_question(
    pb: blob_service_pb2.GetBlobOffsetRequest,
) -> tuple[UUID, UUID, bytes]:
    """Return sender, recipient and digest; raise `CallRefused` where they are none."""
    sender, recipient = _authorities(pb.sender, pb.recipient)
    if len(pb.digest) != _HASH_SIZE:
        raise CallRefused(Reason.BLOB_MALFORMED, "A digest has 32 bytes.")
    return sender, recipient, pb.digest


def _authorities(sender: bytes, recipient: bytes) -> tuple[UUID, UUID]:
    try:
        return read_uuid(sender), read_uuid(recipient)
    except Malformed as error:
        raise CallRefused(Reason.BLOB_MALFORMED, str(error)) from error

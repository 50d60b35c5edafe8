"""The contents of the federation's own messages as bytes."""

from typing import Final

from amtsbruecke.exchange.v1beta1 import notice_pb2
from google.protobuf.message import DecodeError

from federation.protocol.errors import MessageUnprocessable
from federation.protocol.notices import ProcessingFailureNotice, VoidNotice
from federation.wire.convert import Malformed, read_uuid

#: The version of both schemas, for `OutboundMessage.schema_version`.
SCHEMA_VERSION: Final = 1


def write_void(notice: VoidNotice) -> bytes:
    return notice_pb2.VoidNotice(message_id=notice.message_id.bytes).SerializeToString()


def read_void(payload: bytes) -> VoidNotice:
    """Return the notice; raise `MessageUnprocessable` where the content is none."""
    try:
        pb = notice_pb2.VoidNotice.FromString(payload)
        return VoidNotice(read_uuid(pb.message_id))
    except (DecodeError, Malformed) as error:
        raise MessageUnprocessable("PAYLOAD_MALFORMED", "This is no void notice.") from error


def write_processing_failure(notice: ProcessingFailureNotice) -> bytes:
    return notice_pb2.ProcessingFailureNotice(
        message_id=notice.message_id.bytes, reason=notice.reason, text=notice.text
    ).SerializeToString()


def read_processing_failure(payload: bytes) -> ProcessingFailureNotice:
    """Return the notice; raise `MessageUnprocessable` where the content is none."""
    try:
        pb = notice_pb2.ProcessingFailureNotice.FromString(payload)
        _check(pb)
        return ProcessingFailureNotice(
            message_id=read_uuid(pb.message_id), reason=pb.reason, text=pb.text
        )
    except (DecodeError, Malformed) as error:
        raise MessageUnprocessable("PAYLOAD_MALFORMED", "This is no failure notice.") from error


def _check(pb: notice_pb2.ProcessingFailureNotice) -> None:
    """Raise `Malformed` for words that could not be kept and shown."""
    if not pb.reason or "\0" in pb.reason or "\0" in pb.text:
        raise Malformed("the reason is missing, or holds what no text may hold")

"""Times, identifiers and kinds between Python and protobuf, strictly."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from amtsbruecke.exchange.v1beta1 import envelope_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from federation.protocol.messages import MessageKind

_NANOS: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_UUID_SIZE: Final = 16

#: Kinds and their numbers. Fails at import where a kind has no number in the protocol.
KIND_NUMBERS: Final = {
    kind: envelope_pb2.MessageKind.Value(f"MESSAGE_KIND_{kind.name}") for kind in MessageKind
}
KINDS: Final = {int(number): kind for kind, number in KIND_NUMBERS.items()}


class Malformed(ValueError):
    """A field does not hold what the protocol says. Only this package sees it."""


def set_timestamp(target: Timestamp, moment: datetime) -> None:
    microseconds = (moment - _EPOCH) // _MICROSECOND
    target.seconds, rest = divmod(microseconds, 1_000_000)
    target.nanos = rest * 1000


def read_timestamp(source: Timestamp) -> datetime:
    """Return the moment; `Malformed` where it is finer than a microsecond or out of all time."""
    seconds, nanos = source.seconds, source.nanos
    if not 0 < seconds <= _LAST_SECOND or not 0 <= nanos < _NANOS or nanos % 1000:
        raise Malformed("a time stamp is out of range")
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


def read_uuid(raw: bytes) -> UUID:
    if len(raw) != _UUID_SIZE:
        raise Malformed("an identifier does not have 16 bytes")
    return UUID(bytes=raw)


def refuse_unknown_fields(message: Message, size: int) -> None:
    """Raise `Malformed` where the bytes held more than the fields that are known here.

    Every correct encoder writes a message in the same count of bytes, whatever the order of its
    fields. More bytes mean unknown or repeated fields, or padding: things that somebody signed and
    nobody here understands.
    """
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise Malformed("there are fields that are not known here")

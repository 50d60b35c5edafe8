"""What authorities write to each other, as the rest of the house sees it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from federation.protocol import limits
from federation.protocol.errors import MessageInvalid

_TRACEPARENT: Final = re.compile(r"|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_UUID7: Final = 7
_MAX_SEQUENCE: Final = 2**63 - 1
_MAX_SCHEMA_VERSION: Final = 2**31 - 1


class MessageKind(StrEnum):
    ASSISTANCE_REQUEST = "assistance_request"
    REGISTRATION = "registration"
    ACCEPTANCE = "acceptance"
    REFUSAL = "refusal"
    QUERY = "query"
    ANSWER = "answer"
    COMPLETION = "completion"
    CLOSURE = "closure"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_CONFIRMATION = "withdrawal_confirmation"
    #: Fills the place of a cancelled message in the order of its case.
    VOID = "void"
    #: The recipient could not process a delivered message.
    PROCESSING_FAILURE = "processing_failure"


#: The place of a message that stands outside the order of its case.
UNORDERED: Final = 0


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A sealed document: SHA-256 over its sealed bytes in hexadecimal digits, and their count."""

    digest: str
    size: int

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise MessageInvalid("a document's digest has 64 lower-case hexadecimal digits")
        if not 0 < self.size <= limits.MAX_BLOB_BYTES:
            raise MessageInvalid(f"a sealed document has 1 to {limits.MAX_BLOB_BYTES} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """A message to post. `payload` is a serialised message of the kind's schema, not yet sealed.

    `case_sequence` counts this authority's messages in the case from 1, without a gap.
    """

    message_id: UUID
    recipient: UUID
    case_id: UUID
    case_sequence: int
    kind: MessageKind
    schema_version: int
    payload: bytes
    expires_at: datetime
    blobs: tuple[BlobRef, ...] = ()
    traceparent: str = ""

    def __post_init__(self) -> None:
        """Refuse here what every receiver would refuse: the writer can still do something."""
        if self.message_id.version != _UUID7:
            raise MessageInvalid(f"the message id {self.message_id} is no UUID of version 7")
        check_order(self.kind, self.case_sequence)
        if not 0 < self.schema_version <= _MAX_SCHEMA_VERSION:
            raise MessageInvalid("the version of the schema counts from 1")
        if len(self.payload) > limits.MAX_PAYLOAD_BYTES:
            raise MessageInvalid(
                f"a message has {len(self.payload)} bytes; {limits.MAX_PAYLOAD_BYTES} are possible"
            )
        if len(self.blobs) > limits.MAX_BLOBS:
            raise MessageInvalid(f"a message names at most {limits.MAX_BLOBS} documents")
        if self.expires_at.tzinfo is None:
            raise MessageInvalid("the expiry of a message needs a time zone")
        if not _TRACEPARENT.fullmatch(self.traceparent):
            raise MessageInvalid("the trace context is none of the W3C's version 00")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message that was delivered, verified and opened."""

    message_id: UUID
    origin_centre: str
    sender: UUID
    recipient: UUID
    case_id: UUID
    case_sequence: int
    kind: MessageKind
    schema_version: int
    payload: bytes
    created_at: datetime
    received_at: datetime
    blobs: tuple[BlobRef, ...] = ()
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the carriers of a message know of it. The content stays sealed."""

    message_id: UUID
    origin_centre: str
    sender: UUID
    recipient: UUID
    case_id: UUID
    case_sequence: int
    kind: MessageKind
    schema_version: int
    created_at: datetime
    expires_at: datetime
    traceparent: str
    seal_suite: str
    seal_kid: str
    sealed: bytes
    commitment: bytes
    blobs: tuple[BlobRef, ...]


def check_order(kind: MessageKind, case_sequence: int) -> None:
    """Raise `MessageInvalid` unless a message of this kind may have this place in its case."""
    first = UNORDERED if kind is MessageKind.PROCESSING_FAILURE else UNORDERED + 1
    if not first <= case_sequence <= _MAX_SEQUENCE:
        raise MessageInvalid(f"{kind} cannot have place {case_sequence} in its case")

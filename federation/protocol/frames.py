"""How two centres begin to talk, and how an upload begins."""

from dataclasses import dataclass
from uuid import UUID

from federation.protocol import limits
from federation.protocol.receipts import GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The sender's introduction: who it is and where it stands."""

    origin: str
    acked_lseq: int
    next_lseq: int
    versions: tuple[int, ...] = limits.PROTOCOL_VERSIONS
    directory_version: int = 0
    max_frame_bytes: int = limits.MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Credit:
    """More items and bytes that the sender may have under way."""

    messages: int = limits.CREDIT_MESSAGES
    bytes: int = limits.CREDIT_BYTES


@dataclass(frozen=True, slots=True)
class BatchLimits:
    max_items: int = limits.MAX_BATCH_ITEMS
    max_bytes: int = limits.MAX_BATCH_BYTES
    max_item_bytes: int = limits.MAX_ITEM_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The receiver's answer: its durable position decides where the sender goes on."""

    receiver: str
    in_lseq: int
    version: int = limits.PROTOCOL_VERSIONS[-1]
    receipt_hash: bytes = GENESIS
    max_signed_together: int = limits.MAX_SIGNED_TOGETHER
    credit: Credit = Credit()
    limits: BatchLimits = BatchLimits()
    directory_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobHeader:
    """What an upload is about. `digest` and `size` are those of the sealed document."""

    sender: UUID
    recipient: UUID
    digest: bytes
    size: int
    offset: int = 0

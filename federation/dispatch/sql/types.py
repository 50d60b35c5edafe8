"""What the statements of dispatch take and return."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from federation.dispatch.frames import Item
from federation.dispatch.isolation import Suspicion

type Connection = AsyncConnection[TupleRow]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a link, until another process gets a higher fence."""

    link: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as it stands in the database."""

    name: str
    active: bool
    next_lseq: int
    acked_lseq: int
    receipt_hash: bytes
    fence: int
    #: Seconds until the next try is due, by the database's clock; 0 if it is due.
    wait: float
    backoff_ms: int
    suspicion: Suspicion


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter about to travel."""

    item: Item
    envelope: bytes


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """A verified receipt about to be stored."""

    first_lseq: int
    last_lseq: int
    body: bytes
    body_hash: bytes
    signature: bytes
    kid: str
    leaves: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that the peer has signed not to take; `retry_ms`: when to send it again."""

    message_id: UUID
    reason: str
    retry_ms: int | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """A document that a held letter waits for."""

    message_id: UUID
    tenant_role: str
    sender: UUID
    recipient: UUID
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document of ours, and where its bytes are."""

    id: UUID
    tenant_role: str
    size: int
    in_file: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What monitoring wants to know of a link."""

    link: str
    backlog: int
    oldest_seconds: float
    dead: int

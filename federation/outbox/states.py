"""What becomes of a letter, in words. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

#: `Letter.lseq` of a letter that was taken out of the queue: it will not be sent.
WITHDRAWN = 0


class DeliveryState(StrEnum):
    """Where a letter stands, as its sender may know it."""

    #: Accepted here; not yet on its way.
    WAITING = "waiting"
    #: Handed to the link; the receiving centre has not signed for it yet.
    IN_TRANSIT = "in_transit"
    #: The receiving centre has stored it and signed a receipt.
    RELAYED = "relayed"
    #: The receiving centre has signed that it will not take it.
    REFUSED = "refused"
    #: No receipt came in time.
    EXPIRED = "expired"
    #: Set aside because it disturbed the link; an operator decides.
    PARKED = "parked"
    #: Taken back after it could not be delivered.
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The state of one letter and what is known of its way."""

    message_id: UUID
    link: str
    state: DeliveryState
    #: Machine reason of a refusal, a failure or the wait.
    reason: str
    accepted_at: datetime
    relayed_at: datetime | None
    #: Attempts on the link since the letter was accepted, in vain ones and the last.
    attempts: int
    #: Set while the link backs off or the letter was deferred.
    next_try_at: datetime | None
    #: Since when nothing gets through to the receiving centre, while the letter is under way.
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """News about a letter for the tenant that sent it. May be told more than once."""

    message_id: UUID
    case_id: UUID
    #: The message kind, as its word.
    kind: str
    #: relayed, refused, expired, parked or cancelled. A later `relayed` overrules `expired`.
    state: DeliveryState
    reason: str
    at: datetime

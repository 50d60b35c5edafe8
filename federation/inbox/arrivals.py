"""Letters as they come out of a frame: fit to be stored, refused with a reason, or void. Pure."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from federation.protocol.receipts import Sent, Verdict

#: Stands for the id of a letter that could not be read.
NO_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified letter for a municipality that is hosted here."""

    lseq: int
    message_id: UUID
    digest: bytes
    #: The item's bytes, exactly as they came.
    envelope: bytes
    tenant_role: str
    sender: UUID
    case_id: UUID
    case_sequence: int
    kind: str
    #: Digest and size of each document that it names.
    blobs: tuple[tuple[bytes, int], ...]

    @property
    def sent(self) -> Sent:
        return Sent(self.message_id, self.digest)


@dataclass(frozen=True, slots=True)
class Settled:
    """An item that is not for the inbox, whatever the database says: refused, deferred or void."""

    lseq: int
    sent: Sent
    verdict: Verdict


type Item = Arrival | Settled

"""What a receiving centre states about the letters it took: a Merkle tree per receipt, chained.

The receiver `compose`s a receipt after its commit. The sender recomputes the leaves from what it
sent (`check`), so a receipt that names other bytes, another order or another peer is refused.
Each receipt names the hash of the one before it: none can be taken out or put in later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from federation.protocol import merkle
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.limits import MAX_RECEIPT_ITEMS
from federation.protocol.reasons import Reason

#: Stands before the first receipt of a link.
GENESIS: Final = bytes(32)

_NO_ID: Final = bytes(16)


class Status(IntEnum):
    """What became of an item. The number is part of its leaf."""

    ACCEPTED = 1
    #: The same bytes had been accepted before. Counts as accepted.
    DUPLICATE = 2
    REFUSED = 3
    #: Not held; may be sent again later, under a new number.
    DEFERRED = 4
    #: An empty item: the sender took the letter back after it had been numbered.
    VOID = 5

    @property
    def held(self) -> bool:
        """Whether the receiver holds the letter durably."""
        return self in (Status.ACCEPTED, Status.DUPLICATE)


_WITH_REASON: Final = frozenset({Status.REFUSED, Status.DEFERRED})


@dataclass(frozen=True, slots=True)
class Sent:
    """An item as both sides know it."""

    message_id: UUID
    #: SHA-256 of the item's bytes.
    digest: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one item. `reason` is set for refused and deferred items only.

    A sender may read a reason that it does not know yet from a newer receiver.
    """

    status: Status
    reason: Reason | str | None = None
    retry_delay: timedelta | None = None

    def __post_init__(self) -> None:
        if (self.status in _WITH_REASON) != (self.reason is not None):
            raise ReceiptInvalid("a refused item has a reason, others have none")
        if self.retry_delay is not None and self.status is not Status.DEFERRED:
            raise ReceiptInvalid("only a deferred item has a time to come again")


ACCEPTED: Final = Verdict(Status.ACCEPTED)
DUPLICATE: Final = Verdict(Status.DUPLICATE)
VOID: Final = Verdict(Status.VOID)

#: An empty item, which keeps the numbers of a link without a gap.
NOTHING: Final = Sent(UUID(int=0), sha256(b"").digest())


def refused(reason: Reason, *, retry_delay: timedelta | None = None) -> Verdict:
    """Return the verdict that fits the reason: final ones refuse, the others defer."""
    if reason.final:
        return Verdict(Status.REFUSED, reason)
    return Verdict(Status.DEFERRED, reason, retry_delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBody:
    """What is signed. `exceptions` holds the verdict of each item that was not plainly accepted."""

    issuer: str
    origin: str
    first_lseq: int
    last_lseq: int
    merkle_root: bytes
    prev_hash: bytes
    issued_at: datetime
    exceptions: tuple[tuple[int, Verdict], ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.first_lseq <= self.last_lseq < self.first_lseq + MAX_RECEIPT_ITEMS:
            raise ReceiptInvalid(f"a receipt covers 1 to {MAX_RECEIPT_ITEMS} items")
        numbers = [lseq for lseq, _ in self.exceptions]
        if numbers != sorted(set(numbers)) or (
            numbers and not self.first_lseq <= numbers[0] <= numbers[-1] <= self.last_lseq
        ):
            raise ReceiptInvalid("the exceptions of a receipt do not fit its range")
        if any(verdict.status is Status.ACCEPTED for _, verdict in self.exceptions):
            raise ReceiptInvalid("an accepted item is no exception")

    @property
    def count(self) -> int:
        return self.last_lseq - self.first_lseq + 1

    def verdicts(self) -> list[Verdict]:
        """Return the verdict of every item, in order."""
        result = [ACCEPTED] * self.count
        for lseq, verdict in self.exceptions:
            result[lseq - self.first_lseq] = verdict
        return result

    def verdict(self, lseq: int) -> Verdict:
        """Return the verdict of one item of the range."""
        if not self.first_lseq <= lseq <= self.last_lseq:
            raise ReceiptInvalid(f"item {lseq} is not covered by this receipt")
        return dict(self.exceptions).get(lseq, ACCEPTED)


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as it is stored and sent: bytes, and the signature of the issuing centre."""

    body: bytes
    kid: str
    signature: bytes

    @property
    def hash(self) -> bytes:
        """What the link's next receipt names as the one before it."""
        return sha256(self.body).digest()


def leaf(sent: Sent, *, lseq: int, verdict: Verdict) -> bytes:
    """Return an item's leaf. What is not held may be unreadable, so its id is not in the leaf."""
    name = sent.message_id.bytes if verdict.status.held else _NO_ID
    return sha256(
        b"\0" + name + lseq.to_bytes(8, "big") + sent.digest + bytes((verdict.status,))
    ).digest()


def leaves(items: Sequence[tuple[Sent, Verdict]], *, first_lseq: int) -> list[bytes]:
    return [
        leaf(sent, lseq=lseq, verdict=verdict)
        for lseq, (sent, verdict) in enumerate(items, start=first_lseq)
    ]


def compose(
    *,
    issuer: str,
    origin: str,
    first_lseq: int,
    items: Sequence[tuple[Sent, Verdict]],
    prev_hash: bytes,
    issued_at: datetime,
) -> tuple[ReceiptBody, bytes]:
    """Return the receipt for items that are held now, and its leaves (32 bytes each) to keep."""
    hashes = leaves(items, first_lseq=first_lseq)
    body = ReceiptBody(
        issuer=issuer,
        origin=origin,
        first_lseq=first_lseq,
        last_lseq=first_lseq + len(items) - 1,
        merkle_root=merkle.root(hashes),
        prev_hash=prev_hash,
        issued_at=issued_at,
        exceptions=tuple(
            (lseq, verdict)
            for lseq, (_, verdict) in enumerate(items, start=first_lseq)
            if verdict.status is not Status.ACCEPTED
        ),
    )
    return body, b"".join(hashes)


def check(
    body: ReceiptBody, *, issuer: str, origin: str, sent: Sequence[Sent], prev_hash: bytes
) -> bytes:
    """Return the leaves where the receipt states exactly what was sent; else `ReceiptInvalid`.

    `sent` are the items from `body.first_lseq` on, in order. The signature is checked before.
    """
    if (body.issuer, body.origin) != (issuer, origin):
        raise ReceiptInvalid(f"a receipt of {body.issuer} for {body.origin} came from {issuer}")
    if body.prev_hash != prev_hash:
        raise ReceiptInvalid("the receipt does not follow the last one that is stored")
    if body.count != len(sent):
        raise ReceiptInvalid(f"the receipt covers {body.count} items, {len(sent)} were sent")
    hashes = leaves(list(zip(sent, body.verdicts(), strict=True)), first_lseq=body.first_lseq)
    if merkle.root(hashes) != body.merkle_root:
        raise ReceiptInvalid("the receipt states other letters than those that were sent")
    return b"".join(hashes)


def proof(hashes: bytes, *, index: int) -> tuple[bytes, ...]:
    """Return the Merkle path of one item from the kept leaves of its receipt."""
    split = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    return merkle.proof(split, index)


def proves(body: ReceiptBody, *, sent: Sent, lseq: int, path: Sequence[bytes]) -> Verdict | None:
    """Return what the receipt states about one letter, or None where it states nothing of it."""
    if not body.first_lseq <= lseq <= body.last_lseq:
        return None
    verdict = body.verdict(lseq)
    proven = merkle.verify(
        leaf(sent, lseq=lseq, verdict=verdict),
        index=lseq - body.first_lseq,
        size=body.count,
        path=path,
        root=body.merkle_root,
    )
    return verdict if proven else None

"""What was sent on a link without a receipt yet, and what receipts say about it. Pure.

A receipt counts only if a key of the peer signed it that was valid when it was issued, it follows
the last one, and it states exactly the bytes that we sent at these positions. Everything else is a
fault of the peer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from centre.directory.interface import ListedKey
from federation.dispatch.errors import ReceiptInvalid
from federation.dispatch.frames import Flight, Item
from federation.protocol import errors, receipts
from federation.protocol.reasons import Reaction, Reason
from federation.protocol.receipts import GENESIS, ReceiptBody, SignedReceipt, Status
from federation.wire.receipt import key_held, verify_receipt

#: How long a deferred letter waits where the peer did not say.
_WAIT: Final = timedelta(seconds=60)
_REFRESH: Final = timedelta(seconds=30)
_MOST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that the peer has signed not to hold."""

    item: Item
    reason: str
    #: When to send it again; None: never.
    retry: timedelta | None
    alarm: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """A receipt that holds, and what it says."""

    receipt: SignedReceipt
    body: ReceiptBody
    leaves: bytes
    refusals: tuple[Refusal, ...]
    duplicates: int
    #: Letters that the peer holds at positions which are void here.
    arrived: tuple[Item, ...] = ()


class Ledger:
    """Checks receipts in their order against the items in flight."""

    def __init__(self, *, peer: str, origin: str, acked: int, receipt_hash: bytes) -> None:
        self._peer = peer
        self._origin = origin
        #: The last position with a verified receipt.
        self.acked = acked
        self._hash = receipt_hash or GENESIS
        self.flight = Flight()

    def read(self, receipt: SignedReceipt, *, key: ListedKey | None) -> ReceiptBody:
        """Return the body of a receipt that the peer's key signed and that comes next.

        The key may have ended since: receipts that wait for us are judged by their own time.

        Raises `ReceiptInvalid` for every other one.
        """
        if key is None:
            raise ReceiptInvalid(f"the directory has no key {receipt.kid} of {self._peer}")
        try:
            body = verify_receipt(receipt, key=key.key)
        except errors.ReceiptInvalid as error:
            raise ReceiptInvalid(error.message) from error
        self.check_time(body, key=key)
        if body.first_lseq != self.acked + 1 or body.count > len(self.flight):
            raise ReceiptInvalid(
                f"a receipt for {body.first_lseq} to {body.last_lseq} came after {self.acked}; "
                f"{len(self.flight)} items were under way"
            )
        return body

    def check_time(
        self, body: ReceiptBody, *, key: ListedKey, posted_at: datetime | None = None
    ) -> None:
        """Raise `ReceiptInvalid` unless the key was valid when the receipt was issued."""
        if not key_held(body, key=key, posted_at=posted_at):
            posted = "" if posted_at is None else f", for letters posted until {posted_at}"
            raise ReceiptInvalid(
                f"the key {key.key.kid} of {self._peer} was not valid for a receipt of"
                f" {body.issued_at}{posted}"
            )

    def land(
        self, receipt: SignedReceipt, body: ReceiptBody, *, instead: Mapping[int, Item]
    ) -> Verified:
        """Take off what the receipt covers; raise `ReceiptInvalid` if it states something else.

        `instead` holds letters that once stood at positions which are void now: a frame of before
        may have reached the peer. Where the receipt says that nothing came, none has.
        """
        void = {lseq for lseq, verdict in body.exceptions if verdict.status is Status.VOID}
        items = [
            each if each.lseq in void else instead.get(each.lseq, each)
            for each in self.flight.peek(body.count)
        ]
        try:
            leaves = receipts.check(
                body,
                issuer=self._peer,
                origin=self._origin,
                sent=[item.sent for item in items],
                prev_hash=self._hash,
            )
        except errors.ReceiptInvalid as error:
            raise ReceiptInvalid(error.message) from error
        self.flight.land(body.count)
        self.acked = body.last_lseq
        self._hash = receipt.hash
        duplicates = sum(verdict.status is Status.DUPLICATE for _, verdict in body.exceptions)
        refusals = _refusals(body, items)
        none = void | {refusal.item.lseq for refusal in refusals}
        arrived = tuple(item for item in items if item.lseq in instead.keys() - none)
        return Verified(receipt, body, leaves, refusals, duplicates, arrived)


def _refusals(body: ReceiptBody, items: Sequence[Item]) -> tuple[Refusal, ...]:
    found = []
    for lseq, verdict in body.exceptions:
        item = items[lseq - body.first_lseq]
        if verdict.status.held or item.void:
            continue
        reaction = verdict.reason.reaction if isinstance(verdict.reason, Reason) else None
        retry = None
        if verdict.status is Status.DEFERRED:
            default = _REFRESH if reaction is Reaction.REFRESH else _WAIT
            retry = min(verdict.retry_delay or default, _MOST_WAIT)
        found.append(
            Refusal(
                item=item,
                reason=str(verdict.reason),
                retry=retry,
                alarm=reaction is Reaction.ALARM,
                expired=reaction is Reaction.EXPIRE,
            )
        )
    return tuple(found)

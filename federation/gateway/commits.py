"""One transaction: letters into the inbox, the link moved on, the receipt signed and kept.

Only after it has been committed may the peer see the receipt. The link's row is locked first, so
two streams of one peer, in this gateway or another, can never both move it; the second one finds
that the position is not where it believed, and ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg_pool import AsyncConnectionPool

from centre.kernel import clock
from centre.keys import sign
from federation.gateway import sql
from federation.gateway.sql import Connection, Position, StoredReceipt
from federation.inbox.arrivals import Arrival, Item
from federation.protocol import receipts
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ACCEPTED, DUPLICATE, GENESIS, Sent, Verdict, refused
from federation.wire import receipt as wire

_BLOB_DELAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit has done."""

    receipt: StoredReceipt
    verdicts: tuple[tuple[Sent, Verdict], ...]

    @property
    def position(self) -> Position:
        """Where the link stands now."""
        return Position(self.receipt.last_lseq, self.receipt.signed.hash)


async def commit(
    pool: AsyncConnectionPool[Connection],
    *,
    receiver: str,
    origin: str,
    items: Sequence[Item],
    key: sign.SigningKey,
    known: Position | None = None,
) -> Committed:
    """Store the letters among `items`, decide all of them and return the receipt.

    `items` are consecutive. `known` is where the caller believes the link stands: if it stands
    there, and all letters are new and bring no documents, one statement does it all. Raises
    `CallRefused` where another stream has moved the link.
    """
    now, first = clock.now(), items[0].lseq

    def receipt_of(verdicts: Sequence[tuple[Sent, Verdict]], after: Position) -> StoredReceipt:
        body, leaves = receipts.compose(
            issuer=receiver,
            origin=origin,
            first_lseq=first,
            items=verdicts,
            prev_hash=after.receipt_hash or GENESIS,
            issued_at=now,
        )
        signed = wire.sign_receipt(body, by=key)
        return StoredReceipt(body.first_lseq, body.last_lseq, signed, leaves)

    if known is not None and (letters := _plain(items)) is not None:
        verdicts = tuple(
            (each.sent, ACCEPTED if isinstance(each, Arrival) else each.verdict) for each in items
        )
        receipt = receipt_of(verdicts, known)
        async with pool.connection() as connection:
            if await sql.store_new(connection, origin, letters, receipt, known=known, now=now):
                return Committed(receipt, verdicts)
    async with pool.connection() as connection, connection.pipeline(), connection.transaction():
        position = await sql.position(connection, origin, lock=True)
        if position.in_lseq != first - 1:
            raise CallRefused(Reason.STREAM_SUPERSEDED, "Another stream of this link has gone on.")
        decided = await _decide(connection, origin, items, now)
        verdicts = tuple((item.sent, decided[item.lseq]) for item in items)
        receipt = receipt_of(verdicts, position)
        await sql.store_receipt(connection, origin, receipt, now=now)
        committed = Committed(receipt, verdicts)
        await sql.move_link(connection, origin, committed.position, now=now)
    return committed


def _plain(items: Sequence[Item]) -> list[Arrival] | None:
    """Return the letters among `items`, or None if one brings documents or comes twice."""
    letters = [each for each in items if isinstance(each, Arrival)]
    once = len({each.message_id for each in letters}) == len(letters)
    return letters if once and not any(each.blobs for each in letters) else None


async def _decide(
    connection: Connection, origin: str, items: Sequence[Item], now: datetime
) -> dict[int, Verdict]:
    """Store what is new and return the verdict on every item by its number."""
    verdicts = {item.lseq: item.verdict for item in items if not isinstance(item, Arrival)}
    arrivals = [item for item in items if isinstance(item, Arrival)]
    complete = await _complete_blobs(connection, arrivals, now)
    first_of: dict[object, Arrival] = {}
    for arrival in arrivals:
        if any((arrival.tenant_role, digest) not in complete for digest, _ in arrival.blobs):
            verdicts[arrival.lseq] = refused(Reason.BLOB_MISSING, retry_delay=_BLOB_DELAY)
        else:
            first_of.setdefault(arrival.message_id, arrival)
    candidates = list(first_of.values())
    new = await sql.store(connection, origin, candidates, now=now) if candidates else set()
    known = {each.message_id: each.digest for each in candidates if each.message_id in new}
    if len(new) < len(candidates):
        before = [each.message_id for each in candidates if each.message_id not in new]
        known |= await sql.digests(connection, origin, before)
    for arrival in arrivals:
        if arrival.lseq in verdicts:
            continue
        if known[arrival.message_id] != arrival.digest:
            verdicts[arrival.lseq] = refused(Reason.MESSAGE_ID_REUSED)
        elif arrival.message_id in new and first_of[arrival.message_id] is arrival:
            verdicts[arrival.lseq] = ACCEPTED
        else:
            verdicts[arrival.lseq] = DUPLICATE
    return verdicts


async def _complete_blobs(
    connection: Connection, arrivals: Sequence[Arrival], now: datetime
) -> set[tuple[str, bytes]]:
    wanted = {(each.tenant_role, digest, size) for each in arrivals for digest, size in each.blobs}
    if not wanted:
        return set()
    # In one order everywhere, so that two commits never wait for each other.
    return await sql.reference_blobs(connection, sorted(wanted), now=now)

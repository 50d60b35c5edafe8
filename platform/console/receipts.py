"""Checks every receipt that a centre holds, as a stranger with the directory in hand would.

The receipts of a link form one chain from the first position to the last one that the link counts
as receipted. Each has the receiver's signature, by a key that was valid then, and follows the
receipt before it, and for each letter at these positions its Merkle tree contains exactly the
digest of the stored bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from centre.directory.selectors import Directory
from centre.keys.errors import SignatureInvalid
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.receipts import (
    GENESIS,
    ReceiptBody,
    Sent,
    SignedReceipt,
    Status,
    proof,
    proves,
)
from federation.wire.receipt import key_held, verify_receipt

_LINKS = "SELECT name, acked_lseq, receipt_hash FROM outbox_link ORDER BY name"
_RECEIPTS = """
SELECT first_lseq, last_lseq, body, signature, kid, leaves,
       (SELECT max(accepted_at) FROM outbox_letter AS letter
         WHERE letter.link = receipt.link AND letter.lseq > 0
           AND letter.lseq BETWEEN receipt.first_lseq AND receipt.last_lseq)
  FROM outbox_receipt AS receipt WHERE link = %s ORDER BY last_lseq
"""
_LETTERS = """
SELECT id, lseq, envelope FROM outbox_letter
 WHERE link = %s AND lseq BETWEEN %s AND %s ORDER BY lseq
"""
#: What the outbox takes for receipted, whatever receipts there are.
_RECEIPTED = """
SELECT count(*) FROM outbox_letter WHERE link = %s AND lseq > 0 AND lseq <= %s
"""


@dataclass(slots=True)
class Checked:
    """What was found."""

    #: Letters that the outbox takes for receipted.
    letters: int = 0
    #: Those whose receipt proves that the receiver holds them, or that it would not take them.
    verified: int = 0
    refused: int = 0
    #: Letters for which the receiver has signed that it had them already.
    duplicates: list[UUID] = field(default_factory=list)
    #: What is wrong with the chains of receipts, in words.
    problems: list[str] = field(default_factory=list)


def check_all(connection: psycopg.Connection, *, centre: str, directory: Directory) -> Checked:
    """Check all receipts of the centre; the connection needs the owner's login."""
    found = Checked()
    for link, acked, newest in connection.execute(_LINKS).fetchall():
        _check_link(connection, _Link(link, acked, bytes(newest), centre), directory, found)
    return found


@dataclass(frozen=True, slots=True)
class _Link:
    name: str
    acked: int
    newest: bytes
    centre: str


def _check_link(
    connection: psycopg.Connection, link: _Link, directory: Directory, found: Checked
) -> None:
    end, digest = 0, GENESIS
    for first, last, receipt, leaves, posted_at in _receipts(connection, link.name):
        body, problem = _read(receipt, link, directory, posted_at)
        if first != end + 1:
            problem = f"leaves a gap after {end}"
        elif body is not None and (body.first_lseq, body.last_lseq) != (first, last):
            problem = "was signed for other positions"
        elif body is not None and body.prev_hash != digest:
            problem = "does not follow the one before it"
        end, digest = last, receipt.hash
        if problem:
            found.problems.append(f"the receipt of {link.name} for {first} to {last} {problem}")
        elif body is not None:
            for identifier, lseq, envelope in connection.execute(
                _LETTERS, [link.name, first, last]
            ):
                sent = Sent(identifier, hashlib.sha256(envelope).digest())
                path = proof(leaves, index=lseq - first)
                _count(found, body, sent, lseq, path)
    if end != link.acked:
        found.problems.append(
            f"the receipts of {link.name} end at {end}, the link counts {link.acked}"
        )
    elif end and digest != link.newest:
        found.problems.append(f"the newest receipt of {link.name} is not the one the link names")
    ((receipted,),) = connection.execute(_RECEIPTED, [link.name, link.acked]).fetchall()
    found.letters += receipted


def _receipts(
    connection: psycopg.Connection, link: str
) -> Iterator[tuple[int, int, SignedReceipt, bytes, datetime | None]]:
    for first, last, body, signature, kid, leaves, posted_at in connection.execute(
        _RECEIPTS, [link]
    ):
        receipt = SignedReceipt(bytes(body), kid, bytes(signature))
        yield first, last, receipt, bytes(leaves), posted_at


def _read(
    receipt: SignedReceipt, link: _Link, directory: Directory, posted_at: datetime | None
) -> tuple[ReceiptBody | None, str]:
    """Return what a receipt says, or what is wrong with it."""
    key = directory.receipt_key(link.name, receipt.kid)
    if key is None:
        return None, "has an unknown key"
    try:
        body = verify_receipt(receipt, key=key.key)
    except (SignatureInvalid, ReceiptInvalid):
        return None, "is not well signed"
    if (body.issuer, body.origin) != (link.name, link.centre):
        return None, f"is one of {body.issuer} for {body.origin}"
    if not key_held(body, key=key, posted_at=posted_at):
        return None, "has a key that was not valid then"
    return body, ""


def _count(
    found: Checked, body: ReceiptBody, sent: Sent, lseq: int, path: tuple[bytes, ...]
) -> None:
    verdict = proves(body, sent=sent, lseq=lseq, path=path)
    if verdict is None:
        return
    if not verdict.status.held:
        found.refused += 1
        return
    found.verified += 1
    if verdict.status is Status.DUPLICATE:
        found.duplicates.append(sent.message_id)

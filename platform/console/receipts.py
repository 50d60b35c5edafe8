"""Checks every receipt that a centre holds, as a stranger with the directory in hand would.

For each letter below the link's position: the receipt that covers it has the receiver's signature,
follows the receipt before it, and its Merkle tree contains exactly the digest of the stored bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from centre.directory.selectors import Directory
from centre.keys.errors import SignatureInvalid
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.receipts import ReceiptBody, Sent, SignedReceipt, proof, proves
from federation.wire.receipt import verify_receipt

_RECEIPTS = """
SELECT link, first_lseq, last_lseq, body, signature, kid, leaves
  FROM outbox_receipt ORDER BY link, last_lseq
"""
_LETTERS = """
SELECT id, lseq, envelope FROM outbox_letter
 WHERE link = %s AND lseq BETWEEN %s AND %s ORDER BY lseq
"""


@dataclass(slots=True)
class Checked:
    """What was found: letters that have a receipt, and those whose receipt proves delivery."""

    letters: int = 0
    verified: int = 0
    refused: int = 0


def check_all(connection: psycopg.Connection, *, centre: str, directory: Directory) -> Checked:
    """Check all receipts of the centre; the connection needs the owner's login."""
    found = Checked()
    for link, first, last, body, leaves in _receipts(connection, centre, directory):
        for identifier, lseq, envelope in connection.execute(_LETTERS, [link, first, last]):
            found.letters += 1
            if body is None:
                continue
            sent = Sent(identifier, hashlib.sha256(envelope).digest())
            verdict = proves(body, sent=sent, lseq=lseq, path=proof(leaves, index=lseq - first))
            if verdict is None:
                continue
            if verdict.status.held:
                found.verified += 1
            else:
                found.refused += 1
    return found


def _receipts(
    connection: psycopg.Connection, centre: str, directory: Directory
) -> Iterator[tuple[str, int, int, ReceiptBody | None, bytes]]:
    """Yield each receipt with its body, or with None if it does not hold."""
    previous: dict[str, bytes] = {}
    for link, first, last, raw, signature, kid, leaves in connection.execute(_RECEIPTS):
        receipt = SignedReceipt(bytes(raw), kid, bytes(signature))
        key = directory.receipt_key(link, kid)
        body: ReceiptBody | None = None
        try:
            if key is not None:
                body = verify_receipt(receipt, key=key)
        except (SignatureInvalid, ReceiptInvalid):
            body = None
        follows = body is not None and body.prev_hash == previous.get(link, body.prev_hash)
        ours = body is not None and (body.issuer, body.origin) == (link, centre)
        previous[link] = receipt.hash
        yield link, first, last, body if follows and ours else None, bytes(leaves)

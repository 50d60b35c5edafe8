"""Checks the chain of receipts that a centre has issued: each signed, each on top of the last."""

from dataclasses import dataclass, field
from typing import Any

import psycopg

from centre.directory.selectors import Directory
from centre.keys.errors import SignatureInvalid
from federation.protocol.errors import ReceiptInvalid
from federation.protocol.receipts import GENESIS, SignedReceipt
from federation.wire.receipt import key_held, verify_receipt

_ISSUED = """
SELECT link, first_lseq, last_lseq, body, signature, kid
  FROM inbox_issuedreceipt ORDER BY link, first_lseq
"""
_LINKS = "SELECT link, in_lseq, receipt_hash FROM inbox_inboundlink ORDER BY link"
_SHOWN = 5


@dataclass(slots=True)
class Issued:
    """What was found."""

    receipts: int = 0
    problems: list[str] = field(default_factory=list)


def check_issued(
    connection: psycopg.Connection[Any], *, centre: str, directory: Directory
) -> Issued:
    """Check all receipts that this centre has issued; the connection needs the owner's login."""
    found = Issued()
    ends: dict[str, tuple[int, bytes]] = {}
    for link, first, last, raw, signature, kid in connection.execute(_ISSUED):
        found.receipts += 1
        receipt = SignedReceipt(bytes(raw), kid, bytes(signature))
        end, digest = ends.get(link, (0, GENESIS))
        ends[link] = (last, receipt.hash)
        key = directory.receipt_key(centre, kid)
        problem = ""
        try:
            if key is None:
                problem = "has an unknown key"
            elif (body := verify_receipt(receipt, key=key.key)).prev_hash != digest:
                problem = "does not follow the one before it"
            elif not key_held(body, key=key):
                problem = "has a key that was not valid then"
        except (SignatureInvalid, ReceiptInvalid):
            problem = "is not well signed"
        if first != end + 1:
            problem = f"leaves a gap after {end}"
        if problem and len(found.problems) < _SHOWN:
            found.problems.append(f"the receipt of {link} for {first} to {last} {problem}")
    for link, counted, newest in connection.execute(_LINKS):
        end, digest = ends.get(link, (0, b""))
        if (end, digest) != (counted, bytes(newest)) and len(found.problems) < _SHOWN:
            found.problems.append(f"the receipts of {link} end at {end}, not at {counted} as told")
    return found

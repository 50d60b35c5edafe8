"""The receipts that a centre has issued form a chain; where one is missing or bent, it is found."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import psycopg
import pytest

from benchmarks.faults.issued import Issued, check_issued
from centre.directory.interface import Directory
from centre.directory.records import CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys.sign import SigningKey
from federation.protocol.receipts import ACCEPTED, GENESIS, Sent, compose
from federation.wire.receipt import sign_receipt

KEY: Final = SigningKey.generate()
EACH, RECEIPTS = 2, 3


@pytest.fixture
def chain(dsn: Callable[[str], str]) -> Iterator[psycopg.Connection[Any]]:
    """Three receipts for each of two links."""
    with psycopg.connect(dsn("owner")) as owner:
        for link in ("nord", "sachsen"):
            digest = GENESIS
            for number in range(RECEIPTS):
                digest = _issue(owner, link, 1 + number * EACH, digest)
            owner.execute(
                "INSERT INTO inbox_inboundlink (link, in_lseq, receipt_hash, updated_at)"
                " VALUES (%s, %s, %s, now())",
                (link, RECEIPTS * EACH, digest),
            )
        yield owner
        owner.rollback()


def _issue(owner: psycopg.Connection[Any], link: str, first: int, before: bytes) -> bytes:
    body, leaves = compose(
        issuer="krz",
        origin=link,
        first_lseq=first,
        items=[(Sent(new_id(), sha256(b"letter").digest()), ACCEPTED)] * EACH,
        prev_hash=before,
        issued_at=clock.now(),
    )
    receipt = sign_receipt(body, by=KEY)
    owner.execute(
        "INSERT INTO inbox_issuedreceipt (link, first_lseq, last_lseq, body, signature, kid,"
        " leaves, issued_at) VALUES (%s, %s, %s, %s, %s, %s, %s, now())",
        (link, first, body.last_lseq, receipt.body, receipt.signature, receipt.kid, leaves),
    )
    return receipt.hash


def check(owner: psycopg.Connection[Any], *, ended: timedelta | None = None) -> Issued:
    public = KEY.verify_key
    begin = clock.now() - timedelta(days=1)
    key = PublicKey(
        kid=public.kid,
        purpose="sign",
        suite="Ed25519",
        raw=public.raw,
        not_before=begin,
        not_after=None if ended is None else clock.now() - ended,
    )
    snapshot = Snapshot(
        version=1,
        published_at=clock.now(),
        expires_at=clock.in_future(days=1),
        centres=(CentreRecord(id="krz", name="krz", endpoint="", keys=(key,)),),
        authorities=(),
    )
    return check_issued(owner, centre="krz", directory=Directory(snapshot, digest="1"))


def test_whole_chains_are_well(chain: psycopg.Connection[Any]) -> None:
    found = check(chain)
    assert (found.receipts, found.problems) == (2 * RECEIPTS, [])


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (1, "the receipt of sachsen for 3 to 4 leaves a gap after 0"),
        (3, "the receipt of sachsen for 5 to 6 leaves a gap after 2"),
        (5, "the receipts of sachsen end at 4, not at 6 as told"),
    ],
)
def test_a_missing_receipt_is_found(chain: psycopg.Connection[Any], first: int, words: str) -> None:
    chain.execute(
        "DELETE FROM inbox_issuedreceipt WHERE (link, first_lseq) = ('sachsen', %s)", (first,)
    )
    found = check(chain)
    assert found.receipts == 2 * RECEIPTS - 1
    assert found.problems == [words]


def test_a_receipt_in_anothers_place_is_found(chain: psycopg.Connection[Any]) -> None:
    """Well signed, for the right positions, and not the one that was issued first."""
    chain.execute("DELETE FROM inbox_issuedreceipt WHERE (link, first_lseq) = ('nord', 3)")
    _issue(chain, "nord", 3, bytes(32))
    assert check(chain).problems == [
        "the receipt of nord for 3 to 4 does not follow the one before it",
        "the receipt of nord for 5 to 6 does not follow the one before it",
    ]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("signature = decode(repeat('00', 64), 'hex')", "is not well signed"),
        ("kid = repeat('0', 16)", "has an unknown key"),
    ],
)
def test_a_receipt_that_nobody_signed_is_found(
    chain: psycopg.Connection[Any], damage: str, words: str
) -> None:
    chain.execute(f"UPDATE inbox_issuedreceipt SET {damage} WHERE (link, first_lseq) = ('nord', 5)")
    assert check(chain).problems == [f"the receipt of nord for 5 to 6 {words}"]


def test_a_receipt_that_was_issued_after_its_key_had_ended_is_found(
    chain: psycopg.Connection[Any],
) -> None:
    found = check(chain, ended=timedelta(hours=1)).problems
    assert len(found) == 5
    assert all("has a key that was not valid then" in problem for problem in found)

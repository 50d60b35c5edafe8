"""Receipts that are missing are found, wherever in the chain they are missing."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from django.db import connection

from centre.directory.interface import Directory
from centre.directory.records import CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys.sign import SigningKey
from console.receipts import Checked, check_all
from federation.protocol.reasons import Reason
from federation.protocol.receipts import ACCEPTED, DUPLICATE, GENESIS, Sent, compose, refused
from federation.wire.receipt import sign_receipt

pytestmark = [pytest.mark.slow, pytest.mark.process("owner")]

KEY = SigningKey.generate()
EACH, RECEIPTS = 2, 4
LETTERS = EACH * RECEIPTS


@pytest.fixture
def owner(db: None) -> psycopg.Connection[Any]:
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


@pytest.fixture
def chain(owner: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Four receipts for two letters each, all well; the last letter was sent for a second time."""
    digest = GENESIS
    for first in range(1, LETTERS, EACH):
        items = [_letter(owner, lseq) for lseq in range(first, first + EACH)]
        verdicts = [(item, ACCEPTED) for item in items]
        if first + EACH > LETTERS:
            verdicts[-1] = (items[-1], DUPLICATE)
        body, leaves = compose(
            issuer="nord",
            origin="krz",
            first_lseq=first,
            items=verdicts,
            prev_hash=digest,
            issued_at=clock.now(),
        )
        receipt = sign_receipt(body, by=KEY)
        digest = receipt.hash
        owner.execute(
            "INSERT INTO outbox_receipt (link, first_lseq, last_lseq, body, signature, kid, leaves,"
            " issued_at, received_at) VALUES ('nord', %s, %s, %s, %s, %s, %s, now(), now())",
            (first, first + EACH - 1, receipt.body, receipt.signature, receipt.kid, leaves),
        )
    owner.execute(
        "INSERT INTO outbox_link (name, next_lseq, acked_lseq, receipt_hash)"
        " VALUES ('nord', %s, %s, %s)",
        (LETTERS + 1, LETTERS, digest),
    )
    return owner


def _letter(owner: psycopg.Connection[Any], lseq: int) -> Sent:
    envelope, identifier = f"letter {lseq}".encode(), new_id()
    digest = sha256(envelope).digest()
    owner.execute(
        "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind,"
        " size, envelope, digest, lseq, expires_at, accepted_at)"
        " VALUES (%s, 'somebody', 'nord', %s, %s, 1, 'query', 8, %s, %s, %s, now(), now())",
        (identifier, new_id(), new_id(), envelope, digest, lseq),
    )
    return Sent(identifier, digest)


def check(owner: psycopg.Connection[Any], *, ended: timedelta | None = None) -> Checked:
    """Check with a directory in which the key ended so long ago."""
    public = KEY.verify_key
    key = PublicKey(
        kid=public.kid,
        purpose="sign",
        suite="Ed25519",
        raw=public.raw,
        not_before=clock.now() - timedelta(days=1),
        not_after=None if ended is None else clock.now() - ended,
    )
    snapshot = Snapshot(
        version=1,
        published_at=clock.now(),
        expires_at=clock.in_future(days=1),
        centres=(CentreRecord(id="nord", name="nord", endpoint="", keys=(key,)),),
        authorities=(),
    )
    return check_all(owner, centre="krz", directory=Directory(snapshot, digest="1"))


def test_a_whole_chain_proves_every_letter(chain: psycopg.Connection[Any]) -> None:
    found = check(chain)
    assert (found.letters, found.verified, found.refused) == (LETTERS, LETTERS, 0)
    assert len(found.duplicates) == 1
    assert not found.problems


@pytest.mark.parametrize(
    ("first", "words"),
    [(1, "leaves a gap after 0"), (3, "leaves a gap after 2"), (7, "end at 6, the link counts 8")],
)
def test_a_missing_receipt_is_found(chain: psycopg.Connection[Any], first: int, words: str) -> None:
    chain.execute("DELETE FROM outbox_receipt WHERE first_lseq = %s", (first,))
    found = check(chain)
    assert found.letters == LETTERS
    assert found.verified <= LETTERS - EACH
    assert len(found.problems) == 1
    assert words in found.problems[0]


def test_receipts_of_another_chain_are_found(chain: psycopg.Connection[Any]) -> None:
    chain.execute("UPDATE outbox_link SET receipt_hash = %s", (bytes(32),))
    assert check(chain).problems == ["the newest receipt of nord is not the one the link names"]


def _last_anew(owner: psycopg.Connection[Any], key: SigningKey = KEY, **changes: Any) -> None:
    """Put another receipt, with its signature, in the place of the last one."""
    at = LETTERS - EACH
    ((before,),) = owner.execute(
        "SELECT body FROM outbox_receipt WHERE last_lseq = %s", (at,)
    ).fetchall()
    items = owner.execute(
        "SELECT id, digest FROM outbox_letter WHERE lseq > %s ORDER BY lseq", (at,)
    ).fetchall()
    said: dict[str, Any] = {
        "issuer": "nord",
        "origin": "krz",
        "first_lseq": at + 1,
        "items": [(Sent(identifier, digest), ACCEPTED) for identifier, digest in items],
        "prev_hash": sha256(before).digest(),
        "issued_at": clock.now(),
    }
    body, leaves = compose(**{**said, **changes})
    receipt = sign_receipt(body, by=key)
    owner.execute(
        "UPDATE outbox_receipt SET body = %s, signature = %s, kid = %s, leaves = %s"
        " WHERE first_lseq = %s",
        (receipt.body, receipt.signature, receipt.kid, leaves, at + 1),
    )
    owner.execute("UPDATE outbox_link SET receipt_hash = %s", (receipt.hash,))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": SigningKey.generate()}, "has an unknown key"),
        ({"issuer": "sachsen"}, "is one of sachsen for krz"),
        ({"origin": "sachsen"}, "is one of nord for sachsen"),
        ({"first_lseq": LETTERS + 1}, "was signed for other positions"),
        ({"prev_hash": GENESIS}, "does not follow the one before it"),
    ],
)
def test_a_receipt_that_says_something_else_proves_nothing(
    chain: psycopg.Connection[Any], changes: dict[str, Any], words: str
) -> None:
    _last_anew(chain)
    assert not check(chain).problems
    _last_anew(chain, **changes)
    found = check(chain)
    assert found.problems == [f"the receipt of nord for 7 to 8 {words}"]
    assert (found.letters, found.verified) == (LETTERS, LETTERS - EACH)


_HOUR = timedelta(hours=1)
_ALL_ENDED = [
    f"the receipt of nord for {first} to {first + 1} has a key that was not valid then"
    for first in range(1, LETTERS, EACH)
]


def test_receipts_that_were_issued_after_their_key_had_ended_prove_nothing(
    chain: psycopg.Connection[Any],
) -> None:
    found = check(chain, ended=_HOUR)
    assert (found.problems, found.letters, found.verified) == (_ALL_ENDED, LETTERS, 0)


@pytest.mark.parametrize(
    ("posted", "problems"),
    [(3 * _HOUR, _ALL_ENDED[:-1]), (timedelta(), _ALL_ENDED)],
    ids=["waited", "dated back"],
)
def test_a_receipt_that_names_an_old_time_holds_if_its_letters_are_as_old(
    chain: psycopg.Connection[Any], posted: timedelta, problems: list[str]
) -> None:
    _last_anew(chain, issued_at=clock.now() - 2 * _HOUR)
    chain.execute("UPDATE outbox_letter SET accepted_at = %s", (clock.now() - posted,))
    found = check(chain, ended=_HOUR)
    assert found.problems == problems
    assert found.verified == (LETTERS - EACH * len(problems))


def test_a_receipt_without_a_good_signature_proves_nothing(
    chain: psycopg.Connection[Any],
) -> None:
    chain.execute("UPDATE outbox_receipt SET signature = %s WHERE first_lseq = 3", (bytes(64),))
    found = check(chain)
    assert found.problems == ["the receipt of nord for 3 to 4 is not well signed"]
    assert found.verified == LETTERS - EACH


def test_a_refusal_is_no_delivery(chain: psycopg.Connection[Any]) -> None:
    ((identifier, digest),) = chain.execute(
        "SELECT id, digest FROM outbox_letter WHERE lseq = %s", (LETTERS,)
    ).fetchall()
    ((other, its_digest),) = chain.execute(
        "SELECT id, digest FROM outbox_letter WHERE lseq = %s", (LETTERS - 1,)
    ).fetchall()
    verdict = refused(Reason.EXPIRED)
    items = [(Sent(other, its_digest), ACCEPTED), (Sent(identifier, digest), verdict)]
    _last_anew(chain, items=items)
    found = check(chain)
    assert not found.problems
    assert (found.letters, found.verified, found.refused) == (LETTERS, LETTERS - 1, 1)


def test_a_letter_that_was_changed_afterwards_is_not_proven(
    chain: psycopg.Connection[Any],
) -> None:
    chain.execute("UPDATE outbox_letter SET envelope = 'other' WHERE lseq = 4")
    found = check(chain)
    assert (found.letters, found.verified) == (LETTERS, LETTERS - 1)

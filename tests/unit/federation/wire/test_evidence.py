"""What a file proves, and that nothing in it can be changed without being seen."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centre.directory import encoding
from centre.directory.records import (
    SEAL,
    SIGN,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.kernel.ids import new_id
from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey
from federation.protocol import receipts
from federation.protocol.errors import EvidenceInvalid
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.protocol.receipts import GENESIS, Sent, Status, Verdict
from federation.wire import evidence
from federation.wire.envelope import opening_of, write_letter
from federation.wire.evidence import Bundle, LetterPart, ReceiptPart
from federation.wire.receipt import sign_receipt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UMBRELLA, KRZ, NORD = (SigningKey.from_bytes(bytes([n]) * 32) for n in (1, 2, 3))
MINDEN, KIEL = (SigningKey.from_bytes(bytes([n]) * 32) for n in (4, 5))
SEALING = SealPrivateKey.generate(SealSuite.CLASSICAL)
MINDEN_ID, KIEL_ID, CASE = uuid4(), uuid4(), uuid4()
CONTENT = b"who owes what"


def sign_key(key: SigningKey) -> PublicKey:
    return PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=NOW
    )


SNAPSHOT = encoding.sign_snapshot(
    Snapshot(
        version=4,
        published_at=NOW,
        expires_at=NOW + timedelta(days=7),
        centres=(
            CentreRecord(id="krz", name="krz", endpoint="a:1", keys=(sign_key(KRZ),)),
            CentreRecord(id="nord", name="nord", endpoint="b:1", keys=(sign_key(NORD),)),
        ),
        authorities=(
            AuthorityRecord(
                id=MINDEN_ID, name="Minden", home_centre="krz", keys=(sign_key(MINDEN),)
            ),
            AuthorityRecord(
                id=KIEL_ID,
                name="Kiel",
                home_centre="nord",
                keys=(
                    sign_key(KIEL),
                    PublicKey(
                        kid=SEALING.kid,
                        purpose=SEAL,
                        suite=SEALING.suite,
                        raw=SEALING.public.raw,
                        not_before=NOW,
                    ),
                ),
            ),
        ),
    ),
    by=UMBRELLA,
)


def letter(
    *,
    by: SigningKey = MINDEN,
    origin: str = "krz",
    case: UUID = CASE,
    issuer: SigningKey = NORD,
    issuer_id: str = "nord",
    verdict: Verdict = receipts.ACCEPTED,
) -> LetterPart:
    """A letter from Minden to Kiel among nine others in its receipt."""
    message = OutboundMessage(
        message_id=new_id(),
        recipient=KIEL_ID,
        case_id=case,
        case_sequence=1,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=1,
        payload=CONTENT,
        expires_at=NOW + timedelta(days=30),
        blobs=(),
        traceparent="",
    )
    written = write_letter(
        message,
        origin_centre=origin,
        sender=MINDEN_ID,
        created_at=NOW,
        to=SEALING.public,
        by=by,
    )
    items = [(Sent(new_id(), bytes([n]) * 32), receipts.ACCEPTED) for n in range(9)]
    items.insert(5, (Sent(message.message_id, written.digest), verdict))
    body, leaves = receipts.compose(
        issuer=issuer_id,
        origin=origin,
        first_lseq=100,
        items=items,
        prev_hash=GENESIS,
        issued_at=NOW,
    )
    return LetterPart(
        item=written.item,
        receipt=ReceiptPart(
            lseq=105,
            receipt=sign_receipt(body, by=issuer),
            path=receipts.proof(leaves, index=5),
        ),
        opening=opening_of(message.message_id, by=by),
        content=CONTENT,
    )


def bundle(*letters: LetterPart) -> bytes:
    return evidence.write(
        Bundle(
            case_id=CASE,
            case_reference="05770024-2026-1",
            exported_at=NOW,
            exported_by="Minden",
            umbrella_key=UMBRELLA.verify_key.raw,
            snapshots=(SNAPSHOT,),
            letters=letters,
        )
    )


GOOD = letter()
FILE = bundle(GOOD)


def test_a_delivered_letter_is_proven_from_the_umbrellas_key_to_the_content() -> None:
    verdict = evidence.verify(FILE, umbrella_key=UMBRELLA.verify_key.raw)
    assert verdict.holds
    assert verdict.anchor == UMBRELLA.kid
    assert verdict.anchor_given
    (finding,) = verdict.findings
    assert (finding.sender, finding.recipient) == ("Minden", "Kiel")
    assert finding.status is Status.ACCEPTED
    assert finding.delivered_at == NOW
    assert finding.content_proven


def test_without_a_given_key_the_reader_is_told_what_to_compare() -> None:
    verdict = evidence.verify(FILE)
    assert verdict.holds
    assert not verdict.anchor_given
    assert verdict.anchor == UMBRELLA.kid


def test_another_umbrella_proves_nothing() -> None:
    assert not evidence.verify(FILE, umbrella_key=KRZ.verify_key.raw).holds


def test_a_letter_without_receipt_claims_no_delivery() -> None:
    verdict = evidence.verify(bundle(replace(GOOD, receipt=None)))
    assert verdict.holds
    assert verdict.findings[0].status is None
    assert verdict.findings[0].delivered_at is None


def test_a_refusal_is_proven_as_a_refusal() -> None:
    from federation.protocol.reasons import Reason

    verdict = evidence.verify(bundle(letter(verdict=receipts.refused(Reason.EXPIRED))))
    assert verdict.findings[0].status is Status.REFUSED
    assert verdict.findings[0].delivered_at is None


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (letter(by=KIEL), "Schlüssel der Absenderin"),
        (letter(origin="nord"), "nicht aus dem Rechenzentrum"),
        (letter(case=uuid4()), "anderen Vorgang"),
        (letter(issuer=KRZ), "Schlüssel der Quittung"),
        (letter(issuer_id="krz"), "bestätigt nicht"),
        (replace(GOOD, content=b"who owes more"), "Inhalt"),
        (replace(GOOD, opening=bytes(32)), "Inhalt"),
        (replace(GOOD, receipt=letter().receipt), "bestätigt nicht"),
        (replace(GOOD, item=b"junk"), "nicht lesbar"),
    ],
)
def test_what_does_not_fit_is_said(part: LetterPart, problem: str) -> None:
    verdict = evidence.verify(bundle(part))
    assert not verdict.holds
    assert problem in " ".join(verdict.findings[0].problems)


def test_another_place_in_the_receipt_proves_nothing() -> None:
    assert GOOD.receipt is not None
    moved = replace(GOOD, receipt=replace(GOOD.receipt, lseq=106))
    assert "bestätigt nicht" in " ".join(evidence.verify(bundle(moved)).findings[0].problems)


def test_nothing_and_twice_the_same_are_no_evidence() -> None:
    assert not evidence.verify(bundle()).holds
    assert not evidence.verify(bundle(GOOD, GOOD)).holds


def rewrite(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FILE)) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == name else old.read(info))
    return target.getvalue()


def part_of(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        return archive.read(name)


@pytest.mark.parametrize(
    "name", ["letters/0.letter", "letters/0.receipt", "letters/0.content", "directory/0.snapshot"]
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_passes(name: str, data: st.DataObject) -> None:
    content = bytearray(part_of(name))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    assert not evidence.verify(rewrite(name, bytes(content))).holds


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK\x03\x04 not really",
        rewrite("manifest.json", b"{}"),
        rewrite("manifest.json", b"not json"),
        rewrite("manifest.json", json.dumps({"format": 2}).encode()),
    ],
)
def test_junk_is_refused_in_words(file: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        evidence.verify(file)


def test_a_damaged_file_is_refused_in_words_or_proves_the_same() -> None:
    whole = evidence.verify(FILE)
    for position in range(0, len(FILE), 41):
        damaged = bytearray(FILE)
        damaged[position] ^= 1 << position % 8
        try:
            verdict = evidence.verify(bytes(damaged))
        except EvidenceInvalid:
            continue
        # A bit of the container that means nothing, such as a file's time, may differ.
        assert not verdict.holds or verdict == whole, position


def test_a_file_that_would_unpack_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_FILE", 100)
    with pytest.raises(EvidenceInvalid, match="unpack"):
        evidence.verify(FILE)


def test_equal_evidence_gives_equal_files() -> None:
    assert bundle(GOOD) == FILE

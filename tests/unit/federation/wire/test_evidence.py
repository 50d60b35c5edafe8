"""What a file proves, and that nothing in it can be changed without being seen."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

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
from federation.protocol.receipts import GENESIS, Sent, Status
from federation.wire import evidence, examination
from federation.wire.envelope import opening_of, write_letters
from federation.wire.evidence import Bundle, LetterPart, ReceiptPart
from federation.wire.examination import Ruling, Verdict
from federation.wire.receipt import sign_receipt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UMBRELLA, KRZ, NORD = (SigningKey.from_bytes(bytes([n]) * 32) for n in (1, 2, 3))
MINDEN, KIEL, BONN = (SigningKey.from_bytes(bytes([n]) * 32) for n in (4, 5, 6))
SUCCESSOR = SigningKey.from_bytes(bytes([7]) * 32)
SEALING = SealPrivateKey.generate(SealSuite.CLASSICAL)
MINDEN_ID, KIEL_ID, BONN_ID, CASE = uuid4(), uuid4(), uuid4(), uuid4()
REFERENCE = "05770024-2026-1"
CONTENT = f"{REFERENCE}: who owes what".encode()


def sign_key(key: SigningKey) -> PublicKey:
    return PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=NOW
    )


DIRECTORY = Snapshot(
    version=4,
    published_at=NOW,
    expires_at=NOW + timedelta(days=7),
    centres=(
        CentreRecord(id="krz", name="krz", endpoint="a:1", keys=(sign_key(KRZ),)),
        CentreRecord(id="nord", name="nord", endpoint="b:1", keys=(sign_key(NORD),)),
    ),
    authorities=(
        AuthorityRecord(id=MINDEN_ID, name="Minden", home_centre="krz", keys=(sign_key(MINDEN),)),
        AuthorityRecord(id=BONN_ID, name="Bonn", home_centre="krz", keys=(sign_key(BONN),)),
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
)
SNAPSHOT = encoding.sign_snapshot(DIRECTORY, by=UMBRELLA)


def letter(
    *,
    by: SigningKey = MINDEN,
    origin: str = "krz",
    case: UUID = CASE,
    issuer: SigningKey = NORD,
    issuer_id: str = "nord",
    receipt_for: str = "",
    verdict: receipts.Verdict = receipts.ACCEPTED,
    number: int = 1,
    content: bytes = CONTENT,
    together: bool = False,
    issued_at: datetime = NOW,
) -> LetterPart:
    """A letter from Minden to Kiel among nine others in its receipt."""
    message = OutboundMessage(
        message_id=new_id(),
        recipient=KIEL_ID,
        case_id=case,
        case_sequence=number,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=1,
        payload=content,
        expires_at=NOW + timedelta(days=30),
        blobs=(),
        traceparent="",
    )
    written, _ = write_letters(
        [message, replace(message, message_id=new_id(), case_id=new_id())],
        [SEALING.public] * 2,
        origin_centre=origin,
        sender=MINDEN_ID,
        created_at=NOW,
        by=by,
        together=together,
    )
    items = [(Sent(new_id(), bytes([n]) * 32), receipts.ACCEPTED) for n in range(9)]
    items.insert(5, (Sent(message.message_id, written.digest), verdict))
    body, leaves = receipts.compose(
        issuer=issuer_id,
        origin=receipt_for or origin,
        first_lseq=100,
        items=items,
        prev_hash=GENESIS,
        issued_at=issued_at,
    )
    return LetterPart(
        item=written.item,
        receipt=ReceiptPart(
            lseq=105,
            receipt=sign_receipt(body, by=issuer),
            path=receipts.proof(leaves, index=5),
        ),
        opening=opening_of(message.message_id, by=by),
        content=content,
    )


def bundle(
    *letters: LetterPart,
    reference: str = REFERENCE,
    snapshots: tuple[bytes, ...] = (SNAPSHOT,),
    umbrella: tuple[SigningKey, ...] = (UMBRELLA,),
    exporter: UUID = MINDEN_ID,
    by: SigningKey = MINDEN,
) -> bytes:
    return evidence.write(
        Bundle(
            case_id=CASE,
            case_reference=reference,
            exported_at=NOW,
            exported_by=exporter,
            umbrella_keys=tuple(key.verify_key.raw for key in umbrella),
            snapshots=snapshots,
            letters=letters,
        ),
        by=by,
    )


def reference_in(kind: MessageKind, schema_version: int, content: bytes) -> str | None:
    assert (kind, schema_version) == (MessageKind.ASSISTANCE_REQUEST, 1)
    reference, colon, _ = content.decode().partition(":")
    return reference if colon else None


def examine(file: bytes, *umbrella: SigningKey) -> Verdict:
    return examination.verify(
        file,
        umbrella_keys=[key.verify_key.raw for key in umbrella],
        reference_in=reference_in,
    )


GOOD = letter()
FILE = bundle(GOOD)


@pytest.mark.parametrize("together", [False, True])
def test_a_delivered_letter_is_proven_from_the_umbrellas_key_to_the_content(
    *, together: bool
) -> None:
    """Also without the others that its signature covers."""
    verdict = examine(bundle(letter(together=together)), UMBRELLA)
    assert verdict.ruling is Ruling.PROVEN
    assert verdict.anchors == (UMBRELLA.kid,)
    assert verdict.anchors_given
    assert verdict.exported_by == "Minden"
    (finding,) = verdict.findings
    assert (finding.sender, finding.recipient) == ("Minden", "Kiel")
    assert finding.status is Status.ACCEPTED
    assert finding.delivered_at == NOW
    assert finding.content_proven


def test_without_a_given_key_the_reader_is_told_what_to_compare() -> None:
    verdict = examine(FILE)
    assert verdict.ruling is Ruling.PROVEN
    assert not verdict.anchors_given
    assert verdict.anchors == (UMBRELLA.kid,)


def test_another_umbrella_proves_nothing() -> None:
    verdict = examine(FILE, KRZ)
    assert verdict.ruling is Ruling.REFUTED
    assert verdict.anchors == ()


def test_letters_of_before_and_after_the_umbrella_renewed_its_key_are_proven_together() -> None:
    former, *others = DIRECTORY.authorities
    renamed = replace(former, keys=(sign_key(SUCCESSOR),))
    later = encoding.sign_snapshot(
        replace(DIRECTORY, version=5, authorities=(renamed, *others)), by=SUCCESSOR
    )
    snapshots, keys = (later, SNAPSHOT), (UMBRELLA, SUCCESSOR)
    letters = GOOD, letter(by=SUCCESSOR, number=2)
    file = bundle(*letters, snapshots=snapshots, umbrella=keys, by=SUCCESSOR)
    for given in ((), keys):
        verdict = examine(file, *given)
        assert verdict.ruling is Ruling.PROVEN
        assert verdict.anchors == (SUCCESSOR.kid, UMBRELLA.kid)
    assert examine(file, SUCCESSOR).ruling is Ruling.REFUTED


def test_a_file_without_any_key_of_the_umbrella_says_so() -> None:
    with pytest.raises(EvidenceInvalid, match="no key of the umbrella"):
        examine(bundle(GOOD, umbrella=()))
    assert examine(bundle(GOOD, umbrella=()), UMBRELLA).ruling is Ruling.PROVEN


def test_a_letter_without_receipt_is_never_called_delivered_nor_all_proven() -> None:
    verdict = examine(bundle(replace(GOOD, receipt=None)))
    assert verdict.ruling is Ruling.PARTLY
    assert verdict.findings[0].status is None
    assert verdict.findings[0].delivered_at is None
    assert "Quittung fehlt" in verdict.findings[0].gaps[0]


def test_a_letter_without_content_is_not_all_proven() -> None:
    verdict = examine(bundle(GOOD, replace(letter(number=2), content=None)))
    assert verdict.ruling is Ruling.PARTLY
    assert "Inhalt liegt nicht bei" in verdict.findings[1].gaps[0]


def test_a_letter_left_out_in_between_is_missed() -> None:
    letters = [letter(number=number) for number in (1, 3, 6)]
    verdict = examine(bundle(*letters))
    assert verdict.ruling is Ruling.PARTLY
    assert verdict.gaps == ("Es fehlt von Minden an Kiel die Nachricht 2, 4 bis 5.",)
    assert examine(bundle(letter(number=2))).gaps


def test_another_reference_than_the_request_says_is_refuted() -> None:
    verdict = examine(bundle(GOOD, reference="05770024-2026-2"))
    assert verdict.ruling is Ruling.REFUTED
    assert REFERENCE in verdict.problems[0]


def test_a_reference_that_no_letter_says_is_not_proven() -> None:
    verdict = examine(bundle(replace(GOOD, content=None)))
    assert verdict.ruling is Ruling.PARTLY
    assert any("Aktenzeichen" in gap for gap in verdict.gaps)


@pytest.mark.parametrize(
    ("exporter", "by", "problem"),
    [
        (MINDEN_ID, KIEL, "nennt den Schlüssel der ausstellenden"),
        (uuid4(), MINDEN, "nennt den Schlüssel der ausstellenden"),
        (BONN_ID, BONN, "nicht beteiligt"),
    ],
)
def test_only_a_party_to_the_case_can_export_it(
    exporter: UUID, by: SigningKey, problem: str
) -> None:
    verdict = examine(bundle(GOOD, exporter=exporter, by=by))
    assert verdict.ruling is Ruling.REFUTED
    assert problem in " ".join([*verdict.problems, *verdict.findings[0].problems])


def test_a_refusal_is_proven_as_a_refusal() -> None:
    from federation.protocol.reasons import Reason

    verdict = examine(bundle(letter(verdict=receipts.refused(Reason.EXPIRED))))
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
        (letter(receipt_for="sachsen"), "bestätigt nicht"),
        (replace(GOOD, content=b"who owes more"), "Inhalt"),
        (replace(GOOD, opening=bytes(32)), "Inhalt"),
        (replace(GOOD, receipt=letter().receipt), "bestätigt nicht"),
        (replace(GOOD, item=b"junk"), "nicht lesbar"),
    ],
)
def test_what_does_not_fit_is_said(part: LetterPart, problem: str) -> None:
    verdict = examine(bundle(part))
    assert verdict.ruling is Ruling.REFUTED
    assert problem in " ".join(verdict.findings[0].problems)


HOUR = timedelta(hours=1)


def listed(owner: str, begin: timedelta, end: timedelta | None, *, version: int = 4) -> bytes:
    """The directory where the key of Minden or of nord is valid from and until then."""
    when = {"not_before": NOW + begin, "not_after": None if end is None else NOW + end}
    changed = replace(
        DIRECTORY,
        version=version,
        centres=tuple(
            replace(each, keys=(replace(each.keys[0], **when),)) if each.id == owner else each
            for each in DIRECTORY.centres
        ),
        authorities=tuple(
            replace(each, keys=(replace(each.keys[0], **when),)) if each.name == owner else each
            for each in DIRECTORY.authorities
        ),
    )
    return encoding.sign_snapshot(changed, by=UMBRELLA)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(-9 * HOUR, -HOUR), (HOUR, None)])
def test_a_letter_written_when_its_key_was_not_valid_is_refuted(
    begin: timedelta, end: timedelta | None, *, together: bool
) -> None:
    snapshots = (listed("Minden", begin, end),)
    file = bundle(letter(together=together), snapshots=snapshots, exporter=KIEL_ID, by=KIEL)
    verdict = examine(file, UMBRELLA)
    assert verdict.ruling is Ruling.REFUTED
    assert verdict.findings[0].problems == (
        "Der Schlüssel der Absenderin galt nicht, als sie die Nachricht schrieb.",
    )


def test_a_key_proves_for_ever_what_was_received_before_it_ended() -> None:
    file = bundle(
        letter(issued_at=NOW + HOUR / 2),
        snapshots=(listed("Minden", -HOUR, HOUR),),
        exporter=KIEL_ID,
        by=KIEL,
    )
    assert examine(file, UMBRELLA).ruling is Ruling.PROVEN


def test_what_was_received_after_its_key_had_ended_may_have_been_dated_back() -> None:
    file = bundle(
        letter(issued_at=NOW + 2 * HOUR),
        snapshots=(listed("Minden", -HOUR, HOUR),),
        exporter=KIEL_ID,
        by=KIEL,
    )
    verdict = examine(file, UMBRELLA)
    assert verdict.ruling is Ruling.PARTLY
    [gap] = verdict.findings[0].gaps
    assert gap.endswith("Wann sie die Nachricht schrieb, sagt nur sie selbst.")
    assert verdict.findings[0].delivered_at == NOW + 2 * HOUR


@pytest.mark.parametrize("newest_first", [False, True])
def test_when_a_key_ended_is_what_the_newest_directory_says(*, newest_first: bool) -> None:
    snapshots = (SNAPSHOT, listed("Minden", -9 * HOUR, -HOUR, version=5))
    file = bundle(
        GOOD, snapshots=snapshots[:: -1 if newest_first else 1], exporter=KIEL_ID, by=KIEL
    )
    assert examine(file, UMBRELLA).ruling is Ruling.REFUTED


def test_a_receipt_and_a_file_signed_when_their_keys_were_not_valid_are_refuted() -> None:
    verdict = examine(bundle(GOOD, snapshots=(listed("nord", -9 * HOUR, -HOUR),)), UMBRELLA)
    assert verdict.ruling is Ruling.REFUTED
    assert "Schlüssel der Quittung galt nicht" in verdict.findings[0].problems[0]
    verdict = examine(bundle(GOOD, snapshots=(listed("Minden", -9 * HOUR, -HOUR),)), UMBRELLA)
    assert "Schlüssel der ausstellenden Behörde galt nicht" in verdict.problems[0]


def test_another_place_in_the_receipt_proves_nothing() -> None:
    assert GOOD.receipt is not None
    moved = replace(GOOD, receipt=replace(GOOD.receipt, lseq=106))
    assert "bestätigt nicht" in " ".join(examine(bundle(moved)).findings[0].problems)


def test_nothing_and_twice_the_same_are_no_evidence() -> None:
    assert examine(bundle()).ruling is Ruling.REFUTED
    assert examine(bundle(GOOD, GOOD)).ruling is Ruling.REFUTED


def test_no_changed_byte_of_the_file_passes() -> None:
    """Not even one that means nothing to ZIP: the signature covers all but itself."""
    for position in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[position] ^= 1 << position % 8
        assert refused(bytes(damaged)), position


def test_nothing_can_stand_before_or_behind_the_file() -> None:
    assert refused(b"\0" + FILE)
    assert refused(FILE + b"\0")


def refused(file: bytes) -> bool:
    try:
        return examine(file).ruling is Ruling.REFUTED
    except EvidenceInvalid:
        return True


def rewrite(file: bytes = FILE, **members: bytes | None) -> bytes:
    """Pack a file anew as somebody would who lacks the key; None leaves a member out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(target, "w") as new:
        new.comment = old.comment
        for info in old.infolist():
            content = members.get(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
    return target.getvalue()


def manifest_with(**changes: object) -> bytes:
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        return json.dumps(json.loads(archive.read("manifest.json")) | changes).encode()


def without_receipts() -> bytes:
    [entry] = json.loads(manifest_with())["letters"]
    return manifest_with(letters=[{"opening": entry["opening"]}])


def packed_in_another_way_and_damaged() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("manifest.json", manifest_with())
    damaged = bytearray(target.getvalue())
    packed = damaged.index(b"manifest.json") + len("manifest.json")
    damaged[packed + 4] = 0xFF  # behind a version and a length: what the unpacker needs to know
    return bytes(damaged)


FORGERIES = {
    "reference": {"manifest.json": manifest_with(case_reference="05770024-2026-2")},
    "exporter": {"manifest.json": manifest_with(exported_by=str(KIEL_ID))},
    "key": {"manifest.json": manifest_with(signed_by=KIEL.kid)},
    "time": {"manifest.json": manifest_with(exported_at="2020-01-01T00:00:00+00:00")},
    "receipt removed": {"manifest.json": without_receipts(), "letters/0.receipt": None},
    "letter removed": {"manifest.json": manifest_with(letters=[])},
    "readme replaced": {"LIESMICH.txt": b"Pay here: DE02 1203 0000 0000 2020 51"},
    "packed anew": {},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_was_changed_on_the_way_is_refuted(forgery: str) -> None:
    verdict = examine(rewrite(**FORGERIES[forgery]))
    assert verdict.ruling is Ruling.REFUTED
    assert verdict.problems


def test_the_signature_is_written_in_one_way_only() -> None:
    assert refused(FILE[:-128] + FILE[-128:].upper())


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK\x03\x04 not really",
        rewrite(**{"manifest.json": b"{}"}),
        rewrite(**{"manifest.json": b"not json"}),
        rewrite(**{"manifest.json": b"[]"}),
        rewrite(**{"manifest.json": manifest_with(format=3)}),
        packed_in_another_way_and_damaged(),
        rewrite(**{"manifest.json": manifest_with(exported_at="0001-01-01T00:00:00+14:00")}),
    ],
)
def test_junk_is_refused_in_words(file: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        examine(file)


def test_a_file_that_would_unpack_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_FILE", 100)
    with pytest.raises(EvidenceInvalid, match="unpack"):
        examine(FILE)


def test_equal_evidence_gives_equal_files() -> None:
    assert bundle(GOOD) == FILE

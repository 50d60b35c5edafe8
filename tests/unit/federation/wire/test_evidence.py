"""What a file proves, and that nothing in it can be changed without being seen."""

import io
import json
import zipfile
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from centre.directory import encoding
from centre.keys.sign import SigningKey
from federation.protocol import receipts
from federation.protocol.errors import EvidenceInvalid
from federation.protocol.receipts import Status
from federation.wire import evidence
from federation.wire.evidence import LetterPart
from federation.wire.examination import Ruling
from tests.unit.federation.wire.case_file import (
    BONN,
    BONN_ID,
    DIRECTORY,
    FILE,
    GOOD,
    KIEL,
    KIEL_ID,
    KRZ,
    MINDEN,
    MINDEN_ID,
    NOW,
    REFERENCE,
    SNAPSHOT,
    SUCCESSOR,
    UMBRELLA,
    bundle,
    examine,
    letter,
    sign_key,
)


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

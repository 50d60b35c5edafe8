"""What a file of evidence proves, followed from the umbrella's key to the content of each letter.

Three rulings are possible. `PROVEN`: every letter, its receipt and its content. `PARTLY`: all that
the file holds is proven, but something is missing in it, such as a receipt or a letter in between.
`REFUTED`: something in the file is not what it claims to be.

What no signature of another authority can prove is the word of the authority that exported the
file: when it did so, and that no later letter was left out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

from centre.directory import encoding
from centre.directory.errors import SnapshotInvalid
from centre.directory.interface import Directory
from centre.keys.errors import KeyMalformed
from centre.keys.sign import VerifyKey
from federation.protocol.errors import EvidenceInvalid, ItemRefused, ReceiptInvalid
from federation.protocol.limits import CLOCK_SKEW
from federation.protocol.messages import UNORDERED, Envelope, MessageKind
from federation.protocol.receipts import Sent, Status, proves
from federation.wire.envelope import Carried, commitment, read_outer
from federation.wire.evidence import LetterPart, SignedFile, read
from federation.wire.receipt import key_held, verify_receipt

#: Reads the case's reference in the content of a message, where a message of its kind says it.
type ReferenceReader = Callable[[MessageKind, int, bytes], str | None]


class Ruling(StrEnum):
    PROVEN = "proven"
    PARTLY = "partly"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is proven of one letter.

    `problems` say what is not as claimed, `gaps` what is missing; both in German.
    """

    message_id: UUID | None
    kind: str
    sender: str
    recipient: str
    created_at: datetime | None
    delivered_at: datetime | None
    status: Status | None
    content_proven: bool
    problems: tuple[str, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of `verify`. `anchors` are the ids of the umbrella's keys that all hangs on."""

    case_id: UUID
    case_reference: str
    exported_at: datetime
    exported_by: str
    anchors: tuple[str, ...]
    anchors_given: bool
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def ruling(self) -> Ruling:
        if self.problems or any(finding.problems for finding in self.findings):
            return Ruling.REFUTED
        if self.gaps or any(finding.gaps for finding in self.findings):
            return Ruling.PARTLY
        return Ruling.PROVEN


def verify(
    file: bytes, *, umbrella_keys: Sequence[bytes] = (), reference_in: ReferenceReader
) -> Verdict:
    """Check every statement of the file; raise `EvidenceInvalid` only where it cannot be read.

    With `umbrella_keys` (raw Ed25519) each directory must be signed by one of them. Without, those
    that the file itself names are used, and the reader must compare their ids with the published
    ones.
    """
    read_file = read(file)
    bundle = read_file.bundle
    keys = _keys(umbrella_keys or bundle.umbrella_keys)
    problems: list[str] = []
    directories: dict[Directory, str] = {}
    for number, snapshot in enumerate(bundle.snapshots, start=1):
        directory, kid = _directory(snapshot, keys)
        if directory is None:
            tried = ", ".join(key.kid for key in keys)
            problems.append(f"Das Behördenverzeichnis {number} hat nicht signiert: {tried}.")
        else:
            directories[directory] = kid
    # Of what they say of the same key, the newest holds.
    known = tuple(sorted(directories, key=lambda each: each.version, reverse=True))
    problems += _export_problems(read_file, known)
    if not bundle.letters:
        problems.append("Der Nachweis enthält keine Nachricht.")
    envelopes = [_envelope(part) for part in bundle.letters]
    findings = tuple(_check(part, read_file, known) for part in bundle.letters)
    readable = [envelope for envelope in envelopes if envelope is not None]
    if len({each.message_id for each in readable}) != len(readable):
        problems.append("Eine Nachricht steht zweimal im Nachweis.")
    said = {
        reference
        for part, finding, envelope in zip(bundle.letters, findings, envelopes, strict=True)
        if envelope is not None and part.content is not None and finding.content_proven
        if (reference := reference_in(envelope.kind, envelope.schema_version, part.content))
    }
    problems += [
        f"Nach dem Inhalt der Nachrichten hat der Vorgang das Aktenzeichen {reference}."
        for reference in sorted(said - {bundle.case_reference})
    ]
    gaps = [*_missing(readable, known)]
    if not said:
        gaps.append("Das Aktenzeichen steht in keiner der Nachrichten.")
    return Verdict(
        case_id=bundle.case_id,
        case_reference=bundle.case_reference,
        exported_at=bundle.exported_at,
        exported_by=_name(bundle.exported_by, known),
        anchors=tuple(dict.fromkeys(directories.values())),
        anchors_given=bool(umbrella_keys),
        findings=findings,
        problems=tuple(problems),
        gaps=tuple(gaps),
    )


def _keys(raw: Iterable[bytes]) -> list[VerifyKey]:
    try:
        keys = [VerifyKey.from_bytes(each) for each in raw]
    except KeyMalformed as error:
        raise EvidenceInvalid("A key of the umbrella is malformed.") from error
    if not keys:
        raise EvidenceInvalid("The file names no key of the umbrella, and none was given.")
    return keys


def _directory(snapshot: bytes, keys: Sequence[VerifyKey]) -> tuple[Directory | None, str]:
    """Return the directory and the id of the key that signed it. Keys are renewed: any may have."""
    for key in keys:
        with suppress(SnapshotInvalid):
            read_snapshot = encoding.verify_snapshot(snapshot, trusted=[key])
            return Directory(read_snapshot, digest=encoding.digest(snapshot)), key.kid
    return None, ""


def _export_problems(file: SignedFile, directories: Sequence[Directory]) -> Iterator[str]:
    exporter = file.bundle.exported_by
    keys = [
        key
        for directory in directories
        if (key := directory.verify_key(exporter, file.kid)) is not None
    ]
    if not keys:
        yield "Das Verzeichnis nennt den Schlüssel der ausstellenden Behörde nicht."
        return
    if not file.verify(keys[0].key):
        yield "Die Datei wurde geändert: Die Signatur der ausstellenden Behörde stimmt nicht."
    if not keys[0].valid_at(file.bundle.exported_at, skew=CLOCK_SKEW):
        yield "Der Schlüssel der ausstellenden Behörde galt nicht, als die Datei entstand."


def _missing(envelopes: Sequence[Envelope], directories: Sequence[Directory]) -> Iterator[str]:
    """Tell the gaps in the numbers that each side has given its letters. The last may be cut off.

    A request that is sent to another authority than before counts from 1 again.
    """
    numbers: dict[tuple[UUID, UUID], set[int]] = defaultdict(set)
    for each in envelopes:
        numbers[each.sender, each.recipient].add(each.case_sequence)
    for (sender, recipient), found in numbers.items():
        holes = [
            str(before + 1) if after == before + 2 else f"{before + 1} bis {after - 1}"
            for before, after in pairwise(sorted({UNORDERED, *found}))
            if after > before + 1
        ]
        if holes:
            way = f"von {_name(sender, directories)} an {_name(recipient, directories)}"
            yield f"Es fehlt {way} die Nachricht {', '.join(holes)}."


def _envelope(part: LetterPart) -> Envelope | None:
    try:
        return read_outer(part.item).read()
    except ItemRefused:
        return None


def _check(part: LetterPart, file: SignedFile, directories: Sequence[Directory]) -> Finding:
    try:
        carried = read_outer(part.item)
        envelope = carried.read()
    except ItemRefused as error:
        return _unreadable(f"Die Nachricht ist nicht lesbar ({error.reason}).")
    problems, gaps = [], []
    directory = next(
        (each for each in directories if each.verify_key(carried.signer, carried.kid)), None
    )
    if directory is None:
        problems.append("Das Verzeichnis nennt den Schlüssel der Absenderin nicht.")
    else:
        problems += _signature_problems(carried, envelope, directory)
    if envelope.case_id != file.bundle.case_id:
        problems.append("Die Nachricht gehört zu einem anderen Vorgang.")
    if file.bundle.exported_by not in {envelope.sender, envelope.recipient}:
        problems.append("Die ausstellende Behörde ist an der Nachricht nicht beteiligt.")
    status, issued_at = None, None
    if part.receipt is None:
        gaps.append("Die Quittung fehlt: Ob die Nachricht zugestellt wurde, ist offen.")
    else:
        status, issued_at, receipt_problems = _receipt(part, carried, envelope, directories)
        problems += receipt_problems
        if issued_at is not None and directory is not None:
            gaps += _time_gaps(carried, issued_at, directory)
    proven = False
    if part.content is None:
        gaps.append("Der Inhalt liegt nicht bei.")
    else:
        proven = commitment(part.opening, part.content) == envelope.commitment
        if not proven:
            problems.append("Der Inhalt ist nicht der, den die Nachricht festlegt.")
    return Finding(
        message_id=envelope.message_id,
        kind=envelope.kind.value,
        sender=_name(envelope.sender, directories),
        recipient=_name(envelope.recipient, directories),
        created_at=envelope.created_at,
        delivered_at=issued_at if status is not None and status.held else None,
        status=status,
        content_proven=proven,
        problems=tuple(problems),
        gaps=tuple(gaps),
    )


def _signature_problems(
    carried: Carried, envelope: Envelope, directory: Directory
) -> Iterator[str]:
    listed = directory.verify_key(carried.signer, carried.kid)
    authority = directory.authority(envelope.sender)
    assert listed is not None
    try:
        carried.verify(listed.key)
    except ItemRefused:
        yield "Die Signatur der Absenderin stimmt nicht."
    if not listed.valid_at(envelope.created_at, skew=CLOCK_SKEW):
        yield "Der Schlüssel der Absenderin galt nicht, als sie die Nachricht schrieb."
    if authority is not None and authority.home_centre != envelope.origin_centre:
        yield "Die Nachricht kam nicht aus dem Rechenzentrum der Absenderin."


def _time_gaps(carried: Carried, issued_at: datetime, directory: Directory) -> Iterator[str]:
    """Tell what only the sender says of the time of its letter.

    It can write any time into it. That it had signed at last when the receipt was issued, it
    cannot choose.
    """
    listed = directory.verify_key(carried.signer, carried.kid)
    assert listed is not None
    if not listed.valid_at(issued_at, skew=CLOCK_SKEW):
        yield (
            "Als die Quittung entstand, galt der Schlüssel der Absenderin nicht:"
            " Wann sie die Nachricht schrieb, sagt nur sie selbst."
        )


def _receipt(
    part: LetterPart, carried: Carried, envelope: Envelope, directories: Sequence[Directory]
) -> tuple[Status | None, datetime | None, list[str]]:
    assert part.receipt is not None
    receipt = part.receipt.receipt
    homes = {
        authority.home_centre
        for directory in directories
        if (authority := directory.authority(envelope.recipient)) is not None
    }
    keys = (
        key
        for directory in directories
        for home in homes
        if (key := directory.receipt_key(home, receipt.kid)) is not None
    )
    key = next(keys, None)
    if key is None:
        return None, None, ["Das Verzeichnis nennt den Schlüssel der Quittung nicht."]
    try:
        body = verify_receipt(receipt, key=key.key)
        sent = Sent(envelope.message_id, sha256(carried.item).digest())
        verdict = proves(body, sent=sent, lseq=part.receipt.lseq, path=part.receipt.path)
    except ReceiptInvalid:
        return None, None, ["Die Signatur der Quittung stimmt nicht."]
    if verdict is None or body.origin != envelope.origin_centre or body.issuer not in homes:
        return None, None, ["Die Quittung bestätigt nicht diese Nachricht."]
    if not key_held(body, key=key, posted_at=envelope.created_at):
        return None, None, ["Der Schlüssel der Quittung galt nicht, als sie entstand."]
    return verdict.status, body.issued_at, []


def _unreadable(problem: str) -> Finding:
    return Finding(
        message_id=None,
        kind="?",
        sender="?",
        recipient="?",
        created_at=None,
        delivered_at=None,
        status=None,
        content_proven=False,
        problems=(problem,),
        gaps=(),
    )


def _name(authority_id: UUID, directories: Sequence[Directory]) -> str:
    for directory in directories:
        if (authority := directory.authority(authority_id)) is not None:
            return authority.name
    return str(authority_id)

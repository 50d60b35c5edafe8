"""One file that proves the deliveries of a case to anybody, offline and without a database.

It is a ZIP archive with everything that was signed, byte for byte: each letter, the receipt that
covers it with the path of its leaf, the content with the opening of the letter's commitment, and
the signed directory that names the keys. `verify` follows the chain from the umbrella's key to the
content; what it cannot prove it says.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from centre.directory import encoding
from centre.directory.errors import SnapshotInvalid
from centre.directory.interface import Directory
from centre.keys.errors import KeyMalformed
from centre.keys.sign import VerifyKey
from federation.protocol.errors import EvidenceInvalid, ItemRefused, ReceiptInvalid
from federation.protocol.messages import Envelope
from federation.protocol.receipts import Sent, SignedReceipt, Status, proves
from federation.wire.envelope import Carried, commitment, read_outer
from federation.wire.receipt import verify_receipt

FORMAT: Final = 1
MAX_FILE: Final = 256 * 1024 * 1024
_MAX_LETTERS: Final = 10_000
_MANIFEST: Final = "manifest.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows: equal files for equal evidence
_README: Final = """\
Nachweis über die Zustellungen eines Vorgangs / Evidence of the deliveries of a case

Prüfen / verify:  amtsbruecke evidence verify DATEI --umbrella-key SCHLUESSEL

letters/*.letter    Nachricht, wie sie übertragen wurde (signiert, verschlüsselt)
letters/*.receipt   Quittung des empfangenden Rechenzentrums (signiert)
letters/*.content   Inhalt im Klartext, durch die Nachricht festgelegt
directory/*         signiertes Behördenverzeichnis mit den Schlüsseln
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPart:
    """The receipt that covers a letter; `path` leads from the letter's leaf to the root."""

    lseq: int
    receipt: SignedReceipt
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPart:
    """A letter with what proves its delivery and its content; either may be missing."""

    item: bytes
    receipt: ReceiptPart | None = None
    opening: bytes = b""
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What goes into the file. `umbrella_key` is a claim that the reader compares himself."""

    case_id: UUID
    case_reference: str
    exported_at: datetime
    exported_by: str
    umbrella_key: bytes
    snapshots: tuple[bytes, ...]
    letters: tuple[LetterPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is proven of one letter. `problems` are in German; without any, all holds."""

    message_id: UUID | None
    kind: str
    sender: str
    recipient: str
    created_at: datetime | None
    delivered_at: datetime | None
    status: Status | None
    content_proven: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of `verify`. `anchor` is the id of the umbrella's key that everything hangs on."""

    case_id: UUID
    case_reference: str
    exported_at: str
    anchor: str
    anchor_given: bool
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every statement of the file is proven."""
        return not self.problems and not any(finding.problems for finding in self.findings)


def write(bundle: Bundle) -> bytes:
    """Return the file."""
    files: dict[str, bytes] = {"LIESMICH.txt": _README.encode()}
    for number, snapshot in enumerate(bundle.snapshots):
        files[f"directory/{number}.snapshot"] = snapshot
    letters: list[dict[str, Any]] = []
    for number, part in enumerate(bundle.letters):
        files[f"letters/{number}.letter"] = part.item
        entry: dict[str, Any] = {}
        if part.receipt is not None:
            files[f"letters/{number}.receipt"] = part.receipt.receipt.body
            entry["receipt"] = {
                "lseq": part.receipt.lseq,
                "kid": part.receipt.receipt.kid,
                "signature": part.receipt.receipt.signature.hex(),
                "path": [step.hex() for step in part.receipt.path],
            }
        if part.content is not None:
            files[f"letters/{number}.content"] = part.content
            entry["opening"] = part.opening.hex()
        letters.append(entry)
    manifest = {
        "format": FORMAT,
        "case_id": str(bundle.case_id),
        "case_reference": bundle.case_reference,
        "exported_at": bundle.exported_at.isoformat(timespec="seconds"),
        "exported_by": bundle.exported_by,
        "umbrella_key": bundle.umbrella_key.hex(),
        "snapshots": len(bundle.snapshots),
        "letters": letters,
    }
    files[_MANIFEST] = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(
                zipfile.ZipInfo(name, _EPOCH), content, compress_type=zipfile.ZIP_DEFLATED
            )
    return target.getvalue()


#: What zipfile and our own reading raise at a file that was damaged or made by somebody else.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # "encrypted", and NotImplementedError
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
)


def read(file: bytes) -> Bundle:
    """Read a file strictly and within limits; raise `EvidenceInvalid`."""
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_FILE:
                raise EvidenceInvalid("The file would unpack to more than is sensible.")
            return _read(archive)
    except _UNREADABLE as error:
        raise EvidenceInvalid(f"The file is no evidence: {error}") from error


def _read(archive: zipfile.ZipFile) -> Bundle:
    manifest = json.loads(archive.read(_MANIFEST))
    if manifest["format"] != FORMAT:
        raise EvidenceInvalid(f"The format {manifest['format']} of the file is not known here.")
    if len(manifest["letters"]) > _MAX_LETTERS:
        raise EvidenceInvalid("The file names more letters than a case can have.")
    return Bundle(
        case_id=UUID(manifest["case_id"]),
        case_reference=str(manifest["case_reference"]),
        exported_at=datetime.fromisoformat(manifest["exported_at"]),
        exported_by=str(manifest["exported_by"]),
        umbrella_key=bytes.fromhex(manifest["umbrella_key"]),
        snapshots=tuple(
            archive.read(f"directory/{number}.snapshot") for number in range(manifest["snapshots"])
        ),
        letters=tuple(
            _read_letter(archive, number, entry) for number, entry in enumerate(manifest["letters"])
        ),
    )


def _read_letter(archive: zipfile.ZipFile, number: int, entry: dict[str, Any]) -> LetterPart:
    receipt = entry.get("receipt")
    return LetterPart(
        item=archive.read(f"letters/{number}.letter"),
        receipt=ReceiptPart(
            lseq=int(receipt["lseq"]),
            receipt=SignedReceipt(
                body=archive.read(f"letters/{number}.receipt"),
                kid=str(receipt["kid"]),
                signature=bytes.fromhex(receipt["signature"]),
            ),
            path=tuple(bytes.fromhex(step) for step in receipt["path"]),
        )
        if receipt
        else None,
        opening=bytes.fromhex(entry.get("opening", "")),
        content=archive.read(f"letters/{number}.content") if "opening" in entry else None,
    )


def verify(file: bytes, *, umbrella_key: bytes | None = None) -> Verdict:
    """Check every statement of the file; raise `EvidenceInvalid` only where it cannot be read.

    With `umbrella_key` (raw Ed25519) the directory must be signed by it. Without, the key that the
    file itself names is used, and the reader must compare its id with the published one.
    """
    bundle = read(file)
    problems: list[str] = []
    directories = []
    try:
        key = VerifyKey.from_bytes(umbrella_key or bundle.umbrella_key)
    except KeyMalformed as error:
        raise EvidenceInvalid("The umbrella's key is malformed.") from error
    for snapshot in bundle.snapshots:
        try:
            read_snapshot = encoding.verify_snapshot(snapshot, trusted=[key])
            directories.append(Directory(read_snapshot, digest=encoding.digest(snapshot)))
        except SnapshotInvalid:
            problems.append(f"Das Behördenverzeichnis ist nicht vom Schlüssel {key.kid} signiert.")
    if not bundle.letters:
        problems.append("Der Nachweis enthält keine Nachricht.")
    findings = tuple(_check(part, bundle, directories) for part in bundle.letters)
    identified = [each.message_id for each in findings if each.message_id]
    if len(set(identified)) != len(identified):
        problems.append("Eine Nachricht steht zweimal im Nachweis.")
    return Verdict(
        case_id=bundle.case_id,
        case_reference=bundle.case_reference,
        exported_at=bundle.exported_at.isoformat(),
        anchor=key.kid,
        anchor_given=umbrella_key is not None,
        findings=findings,
        problems=tuple(problems),
    )


def _check(part: LetterPart, bundle: Bundle, directories: Sequence[Directory]) -> Finding:
    try:
        carried = read_outer(part.item)
        envelope = carried.read()
    except ItemRefused as error:
        return _unreadable(f"Die Nachricht ist nicht lesbar ({error.reason}).")
    problems = []
    directory = next(
        (each for each in directories if each.verify_key(carried.signer, carried.kid)), None
    )
    if directory is None:
        problems.append("Das Verzeichnis nennt den Schlüssel der Absenderin nicht.")
    else:
        problems += _signature_problems(carried, envelope, directory)
    if envelope.case_id != bundle.case_id:
        problems.append("Die Nachricht gehört zu einem anderen Vorgang.")
    status, delivered_at, receipt_problems = _receipt(part, carried, envelope, directories)
    problems += receipt_problems
    proven = False
    if part.content is not None:
        proven = commitment(part.opening, part.content) == envelope.commitment
        if not proven:
            problems.append("Der Inhalt ist nicht der, den die Nachricht festlegt.")
    return Finding(
        message_id=envelope.message_id,
        kind=envelope.kind.value,
        sender=_name(envelope.sender, directories),
        recipient=_name(envelope.recipient, directories),
        created_at=envelope.created_at,
        delivered_at=delivered_at,
        status=status,
        content_proven=proven,
        problems=tuple(problems),
    )


def _signature_problems(
    carried: Carried, envelope: Envelope, directory: Directory
) -> Iterator[str]:
    key = directory.verify_key(carried.signer, carried.kid)
    authority = directory.authority(envelope.sender)
    assert key is not None
    try:
        carried.verify(key)
    except ItemRefused:
        yield "Die Signatur der Absenderin stimmt nicht."
    if authority is not None and authority.home_centre != envelope.origin_centre:
        yield "Die Nachricht kam nicht aus dem Rechenzentrum der Absenderin."


def _receipt(
    part: LetterPart, carried: Carried, envelope: Envelope, directories: Sequence[Directory]
) -> tuple[Status | None, datetime | None, list[str]]:
    if part.receipt is None:
        return None, None, []  # not delivered yet: nothing is claimed, nothing is wrong
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
        body = verify_receipt(receipt, key=key)
        sent = Sent(envelope.message_id, sha256(carried.item).digest())
        verdict = proves(body, sent=sent, lseq=part.receipt.lseq, path=part.receipt.path)
    except ReceiptInvalid:
        return None, None, ["Die Signatur der Quittung stimmt nicht."]
    if verdict is None or body.origin != envelope.origin_centre or body.issuer not in homes:
        return None, None, ["Die Quittung bestätigt nicht diese Nachricht."]
    delivered = body.issued_at if verdict.status.held else None
    return verdict.status, delivered, []


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
    )


def _name(authority_id: UUID, directories: Sequence[Directory]) -> str:
    for directory in directories:
        if (authority := directory.authority(authority_id)) is not None:
            return authority.name
    return str(authority_id)

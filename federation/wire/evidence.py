"""One file that proves the deliveries of a case to anybody, offline and without a database.

It is a ZIP archive with everything that was signed, byte for byte: each letter, the receipt that
covers it with the path of its leaf, the content with the opening of the letter's commitment, and
the signed directory that names the keys. The authority that exports it signs all bytes of the file
but the signature, which stands at the very end, as the archive's comment: nothing in the file, not
even its readme, can be changed on the way. What of it is proven says `federation.wire.examination`.
"""

import io
import json
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from centre.keys import sign
from centre.keys.errors import SignatureInvalid
from centre.keys.sign import SigningKey, VerifyKey
from federation.protocol.errors import EvidenceInvalid
from federation.protocol.receipts import SignedReceipt

FORMAT: Final = 2
MAX_FILE: Final = 256 * 1024 * 1024
_MAX_LETTERS: Final = 10_000
_MANIFEST: Final = "manifest.json"
_SIGNATURE_SIZE: Final = 128  # Ed25519 in hexadecimal digits, since tools print the comment
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows: equal files for equal evidence
_README: Final = """\
Nachweis über die Zustellungen eines Vorgangs / Evidence of the deliveries of a case

Prüfen / verify:  amtsbruecke evidence verify DATEI --umbrella-key SCHLUESSEL

letters/*.letter    Nachricht, wie sie übertragen wurde (signiert, verschlüsselt)
letters/*.receipt   Quittung des empfangenden Rechenzentrums (signiert)
letters/*.content   Inhalt im Klartext, durch die Nachricht festgelegt
directory/*         signiertes Behördenverzeichnis mit den Schlüsseln

Die ganze Datei ist von der ausstellenden Behörde signiert (die Signatur ist der Kommentar am Ende
des Archivs). Wer sie auspackt und neu packt, bricht die Signatur: geben Sie sie unverändert weiter.
The exporting authority has signed the whole file: pass it on as it is.
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
    """What goes into the file. `umbrella_keys` are a claim that the reader compares himself."""

    case_id: UUID
    case_reference: str
    exported_at: datetime
    exported_by: UUID
    umbrella_keys: tuple[bytes, ...]
    snapshots: tuple[bytes, ...]
    letters: tuple[LetterPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFile:
    """A file as it was read. Believe that `bundle` was exported like this after `verify` only."""

    bundle: Bundle
    kid: str
    signed: bytes
    signature: bytes

    def verify(self, key: VerifyKey) -> bool:
        """Return whether this key (that of the exporting authority with `kid`) signed the file."""
        try:
            signature = bytes.fromhex(self.signature.decode("ascii"))
            key.verify(context=sign.EVIDENCE, message=self.signed, signature=signature)
        except (ValueError, SignatureInvalid):
            return False
        return signature.hex().encode() == self.signature  # no second way to write it


def write(bundle: Bundle, *, by: SigningKey) -> bytes:
    """Return the file, signed by the authority that exports it."""
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
        "exported_by": str(bundle.exported_by),
        "signed_by": by.kid,
        "umbrella_keys": [key.hex() for key in bundle.umbrella_keys],
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
        archive.comment = bytes(_SIGNATURE_SIZE)  # its place
    signed = target.getvalue()[:-_SIGNATURE_SIZE]
    return signed + by.sign(context=sign.EVIDENCE, message=signed).hex().encode()


#: What zipfile and our own reading raise at a file that was damaged or made by somebody else.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # "encrypted", and NotImplementedError
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
)


def read(file: bytes) -> SignedFile:
    """Read a file strictly and within limits; raise `EvidenceInvalid`."""
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_FILE:
                raise EvidenceInvalid("The file would unpack to more than is sensible.")
            manifest = json.loads(archive.read(_MANIFEST))
            return SignedFile(
                bundle=_read(archive, manifest),
                kid=str(manifest["signed_by"]),
                signed=file[:-_SIGNATURE_SIZE],
                signature=file[-_SIGNATURE_SIZE:],
            )
    except _UNREADABLE as error:
        raise EvidenceInvalid(
            "The file is no evidence, or it was damaged or changed. Fetch it again from whoever has"
            f" exported it. ({type(error).__name__})"
        ) from error


def _read(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> Bundle:
    if manifest["format"] != FORMAT:
        raise EvidenceInvalid(
            f"The format {manifest['format']!r:.40} of the file is not known here."
        )
    if len(manifest["letters"]) > _MAX_LETTERS:
        raise EvidenceInvalid("The file names more letters than a case can have.")
    return Bundle(
        case_id=UUID(manifest["case_id"]),
        case_reference=str(manifest["case_reference"]),
        exported_at=datetime.fromisoformat(manifest["exported_at"]).astimezone(UTC),
        exported_by=UUID(manifest["exported_by"]),
        umbrella_keys=tuple(bytes.fromhex(key) for key in manifest["umbrella_keys"]),
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

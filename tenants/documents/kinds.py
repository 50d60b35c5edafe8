"""Which documents are taken, judged by their first bytes, and how they may be called. Pure."""

import re
import unicodedata

#: How many bytes must be seen to judge.
SNIFFED_BYTES = 4096
MAX_NAME_LENGTH = 120

_PDF, _PNG, _JPEG, _TIFF, _TEXT = (
    "application/pdf", "image/png", "image/jpeg", "image/tiff", "text/plain",
)  # fmt: skip
_SIGNATURES = (
    (b"%PDF-", _PDF),
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"II*\x00", _TIFF),
    (b"MM\x00*", _TIFF),
)
EXTENSIONS = {
    _PDF: (".pdf",),
    _PNG: (".png",),
    _JPEG: (".jpg", ".jpeg"),
    _TIFF: (".tif", ".tiff"),
    _TEXT: (".txt",),
}
_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13}
# Text that a browser might take for a page or a picture that can do things.
_ACTIVE = re.compile(rb"<\s*(!doctype|html|script|svg|\?xml|iframe|body)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_RESERVED = frozenset({"con", "prn", "aux", "nul", "com1", "lpt1"})


def media_type(start: bytes) -> str | None:
    """Return the type of a document that starts so, or None if it is none that is taken."""
    for signature, kind in _SIGNATURES:
        if start.startswith(signature):
            return kind
    return _TEXT if start and _is_text(start) else None


def _is_text(start: bytes) -> bool:
    if _CONTROLS & set(start) or _ACTIVE.search(start):
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        # A character may be cut off where we stopped looking; older systems write Windows-1252.
        return error.start >= len(start) - 3 or b"\x81" not in start
    return True


def safe_name(name: str, kind: str) -> str:
    """Return a name for a document that is safe on every system and ends as its type does."""
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = " ".join(_FORBIDDEN.sub(" ", plain).split()).strip(". ")
    endings = EXTENSIONS.get(kind, (".bin",))
    stem = plain
    for ending in endings:
        if plain.lower().endswith(ending):
            stem, endings = plain[: -len(ending)].rstrip(". "), (plain[-len(ending) :].lower(),)
            break
    if not stem or stem.lower() in _RESERVED:
        stem = "Dokument"
    return stem[: MAX_NAME_LENGTH - len(endings[0])] + endings[0]

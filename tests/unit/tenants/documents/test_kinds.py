"""A document is what its bytes are, and its name can do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.documents import kinds


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        ("Grüße aus Minden\r\n".encode(), "text/plain"),
        ("Grüße".encode("cp1252"), "text/plain"),
        (b"", None),
        (b"MZ\x90\x00", None),
        (b"PK\x03\x04", None),
        (b"GIF89a\x00", None),
        (b"<html><script>alert(1)</script>", None),
        (b"  <SVG onload=x>", None),
        (b'<?xml version="1.0"?>', None),
        (b"text\x00with nul", None),
    ],
)
def test_types_by_content(start: bytes, kind: str | None) -> None:
    assert kinds.media_type(start) == kind


def test_a_character_cut_off_at_the_end_is_still_text() -> None:
    assert kinds.media_type("Größe ß".encode()[:-1]) == "text/plain"


@pytest.mark.parametrize(
    ("name", "kind", "safe"),
    [
        ("Bescheid.pdf", "application/pdf", "Bescheid.pdf"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Akten\\Foto.JPEG", "image/jpeg", "Foto.jpeg"),
        ("rechnung.exe", "application/pdf", "rechnung.exe.pdf"),
        ("harmlos\u202efdp.exe", "application/pdf", "harmlos fdp.exe.pdf"),
        ("a\r\nb\x00.txt", "text/plain", "a b.txt"),
        ("con.txt", "text/plain", "Dokument.txt"),
        ("...", "image/png", "Dokument.png"),
        ("", "image/tiff", "Dokument.tif"),
        ("x", "application/strange", "x.bin"),
    ],
)
def test_names(name: str, kind: str, safe: str) -> None:
    assert kinds.safe_name(name, kind) == safe


@given(st.text(max_size=300), st.sampled_from([*kinds.EXTENSIONS, "application/zip"]))
def test_every_name_becomes_safe_and_stays_so(name: str, kind: str) -> None:
    safe = kinds.safe_name(name, kind)
    assert 0 < len(safe) <= kinds.MAX_NAME_LENGTH
    assert not set(safe) & set('/\\\0\r\n"<>:|?*')
    assert not safe.startswith(".")
    assert safe.endswith(kinds.EXTENSIONS.get(kind, (".bin",)))
    assert kinds.safe_name(safe, kind) == safe

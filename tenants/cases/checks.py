"""Checks of single values: characters, bank accounts, postcodes, dates. Pure."""

import re
import unicodedata
from datetime import date
from typing import Final

# DIN 91379:2022: the normative letters and signs, as ranges. Greek and Cyrillic are an extension of
# the standard that registers of names do not use.
_RANGES = (
    (0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x17E), (0x187, 0x188), (0x18F, 0x18F), (0x197, 0x197),
    (0x1A0, 0x1A1), (0x1AF, 0x1B0), (0x1B7, 0x1B7), (0x1CD, 0x1DC), (0x1DE, 0x1DF),
    (0x1E2, 0x1F0), (0x1F4, 0x1F5), (0x1F8, 0x1FF), (0x212, 0x213), (0x218, 0x21B),
    (0x21E, 0x21F), (0x227, 0x233), (0x259, 0x259), (0x268, 0x268), (0x292, 0x292),
    (0x2B9, 0x2BA), (0x2BE, 0x2BF), (0x2C8, 0x2C8), (0x2CC, 0x2CC), (0x1E02, 0x1E03),
    (0x1E06, 0x1E07), (0x1E0A, 0x1E11), (0x1E17, 0x1E17), (0x1E1C, 0x1E2B), (0x1E2F, 0x1E37),
    (0x1E3A, 0x1E3B), (0x1E40, 0x1E49), (0x1E52, 0x1E5B), (0x1E5E, 0x1E63), (0x1E6A, 0x1E6F),
    (0x1E80, 0x1E87), (0x1E8C, 0x1E97), (0x1E9E, 0x1E9E), (0x1EA0, 0x1EF9), (0x2021, 0x2021),
    (0x20AC, 0x20AC),
)  # fmt: skip
# Dashes and quotation marks of ordinary German text: some of the standard's extension, some not in
# it at all, but every word processor writes them.
_TYPOGRAPHY = "\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2026\u2039\u203a\u2030"
_MARKS = frozenset(
    (0x300, 0x301, 0x302, 0x304, 0x306, 0x307, 0x308, 0x30B, 0x30C, 0x30D, 0x310, 0x315, 0x31B,
     0x323, 0x325, 0x326, 0x327, 0x328, 0x331, 0x35F)
)  # fmt: skip
_LINE_SIGNS = frozenset("\n\r\t")

_LATIN = frozenset(chr(c) for first, last in _RANGES for c in range(first, last + 1)) | frozenset(
    _TYPOGRAPHY
)

IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15,
    "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
}  # fmt: skip
"""Countries of the single euro payments area, with the length of their account numbers."""

_POSTCODE = re.compile(r"(?!00)\d{5}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DIGITS: Final = 3
_EARLIEST = date(1900, 1, 1)


def foreign_characters(text: str, *, lines: bool = False) -> str:
    """Return those characters of a text that DIN 91379 does not know, each once, in order.

    Line breaks and tabs are foreign unless `lines`: a name has none, an explanation may.
    """
    if (text.isascii() and text.isprintable()) or _LATIN.issuperset(text):
        return ""
    allowed = _LINE_SIGNS if lines else frozenset[str]()
    composed = unicodedata.normalize("NFC", text)
    found = (
        sign
        for sign in composed
        if sign not in _LATIN and ord(sign) not in _MARKS and sign not in allowed
    )
    return "".join(dict.fromkeys(found))


def normal_iban(text: str) -> str:
    """Return an account number without blanks and in capitals; no promise that it is one."""
    return "".join(text.split()).upper()


def is_iban(text: str) -> bool:
    """Return whether a normalised text is an account number by country, length and check digits."""
    if len(text) != IBAN_LENGTHS.get(text[:2]) or not (text.isascii() and text.isalnum()):
        return False
    if not text[2:4].isdigit():
        return False
    digits = "".join(str(int(sign, 36)) for sign in text[4:] + text[:4])
    return int(digits) % 97 == 1


def is_bic(text: str) -> bool:
    """Return whether a text has the form of a bank identifier code."""
    return bool(_BIC.fullmatch(text))


def is_postcode(text: str) -> bool:
    """Return whether a text has the form of a German postcode."""
    return text.isascii() and bool(_POSTCODE.fullmatch(text)) and text != "01000"


def is_email(text: str) -> bool:
    """Return whether a text has the form of an e-mail address."""
    return bool(_EMAIL.fullmatch(text))


def is_phone(text: str) -> bool:
    """Return whether there is something to dial in a text; words beside it tell whom it reaches."""
    return len(re.findall(r"[0-9]", text)) >= _DIGITS


def is_plausible(day: date, *, today: date) -> bool:
    """Return whether a day of the past may stand in a file: neither ahead nor absurdly long ago."""
    return _EARLIEST <= day <= today

"""The name of a case that people quote: `05770032-2026-0001234-7`. Pure.

It has the municipality's AGS (eight digits of its ARS without the association), the year, a running
number and a check digit (ISO 7064, MOD 11,10), which finds every single wrong digit.
"""

import re

_FORM = re.compile(r"(\d{8})-(\d{4})-(\d{7})-(\d)")


def case_reference(*, ags: str, year: int, number: int) -> str:
    """Return the reference of a municipality's case number of a year."""
    body = f"{ags}-{year:04d}-{number:07d}"
    return f"{body}-{check_digit(body.replace('-', ''))}"


def is_case_reference(text: str) -> bool:
    """Return whether a text is a reference, with the right check digit."""
    found = _FORM.fullmatch(text)
    return bool(found) and check_digit("".join(found.groups()[:3])) == found.group(4)  # type: ignore[union-attr]


def check_digit(digits: str) -> str:
    """Return the check digit of ISO 7064, MOD 11,10."""
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)

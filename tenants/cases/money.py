"""Sums of money: cents as integers inside, German notation at the edges. Pure."""

import re
from decimal import Decimal

#: No request is about more; a larger sum is a slip of the decimal comma.
MAX_CENTS = 10_000_000_000

_WITH_COMMA = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]{1,2})?")
_WITH_POINT = re.compile(r"-?[0-9]+(\.[0-9]{1,2})?")


class NotMoney(ValueError):
    """A text that is no sum of money, or one that can be read in two ways."""


def parse_euro(text: str) -> int:
    """Return the cents of a sum such as `1.234,56`, `1234,5`, `1234.56` or `80 €`.

    Raises `NotMoney`. `1.234` is refused: a thousand and more to a German, one and a bit to others.
    """
    plain = text.replace("\u00a0", " ").strip().removesuffix("€").removesuffix("EUR").strip()
    if _WITH_COMMA.fullmatch(plain) and not ("." in plain and "," not in plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif not _WITH_POINT.fullmatch(plain):
        raise NotMoney(f"„{text}“ ist kein Betrag.")
    return cents(Decimal(plain))


def cents(amount: Decimal) -> int:
    """Return an amount of euros in cents; raise `NotMoney` for fractions of a cent."""
    exact = amount * 100
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise NotMoney(f"„{amount}“ ist kein Betrag in ganzen Cent.")
    return int(exact)


def euros(amount: int) -> Decimal:
    """Return cents as euros with two places."""
    return Decimal(amount).scaleb(-2)


def format_euro(amount: int) -> str:
    """Return cents as people write them here: `1.234,56 €`."""
    grouped = f"{euros(amount):,.2f}"
    return grouped.translate(str.maketrans(",.", ".,")) + " €"

"""Sums of money: cents as integers inside, German notation at the edges. Pure."""

import re
from decimal import Context, Decimal
from typing import Final

from centre.kernel.quoting import quoted
from tenants.cases.words import Unreadable, Words

#: No request is about more; a larger sum is a slip of the decimal comma.
MAX_CENTS = 10_000_000_000

#: No sum that people write is longer, blanks and currency aside.
_LONGEST: Final = 30
#: The usual 28 digits would round the longest of them, without a word.
_EXACT: Final = Context(prec=_LONGEST + 10)

#: What stands between groups of three besides the point: spaces, wide and narrow.
_BLANKS = re.compile("[ \u00a0\u2007\u2009\u202f]")
_THOUSANDS = r"[1-9][0-9]{0,2}(?: [0-9]{3})+"
_WITH_COMMA = re.compile(
    rf"-?(?:[0-9]+|{_THOUSANDS}|[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+)(?:,[0-9]{{1,2}})?"
)
_WITH_POINT = re.compile(rf"-?(?:[0-9]+|{_THOUSANDS})\.[0-9]{{1,2}}")
_IN_TWO_WAYS = re.compile(r"(-?[1-9][0-9]{0,2})[.,]([0-9]{3})")


class NotMoney(Unreadable):
    """A text that is no sum of money, or one that can be read in two ways."""


def parse_euro(text: str) -> int:
    """Return the cents of a sum such as `1.234,56`, `1 234,5`, `1234.56` or `80 €`.

    Raises `NotMoney`. `1.234` is refused: a thousand and more to a German, one and a bit to others.
    """
    plain = _BLANKS.sub(" ", text).strip().removesuffix("€").removesuffix("EUR").strip()
    if len(plain) > _LONGEST:
        raise _no_sum(text)
    if found := _IN_TWO_WAYS.fullmatch(plain):
        whole, rest = found.groups()
        raise NotMoney(
            Words(
                "„%(value)s“ kann %(many)s oder %(few)s heißen.",
                value=quoted(text),
                many=f"{whole}.{rest},00 €",
                few=f"{whole},{rest.removesuffix('0')} €",
            ),
            Words("Schreiben Sie die Cent dazu, mit Komma: etwa 1.234,00."),
        )
    if _WITH_COMMA.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif not _WITH_POINT.fullmatch(plain):
        raise _no_sum(text)
    return cents(Decimal(plain.replace(" ", "")))


def _no_sum(text: str) -> NotMoney:
    return NotMoney(
        Words("„%(value)s“ ist kein Betrag.", value=quoted(text)),
        Words("Schreiben Sie ihn in Euro mit Komma vor den Cent, etwa 1.234,56."),
    )


def cents(amount: Decimal) -> int:
    """Return an amount of euros in cents; raise `NotMoney` for fractions of a cent."""
    exact = _EXACT.multiply(amount, 100)
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise NotMoney(
            Words("„%(value)s“ ist kein Betrag in ganzen Cent.", value=amount),
            Words("Runden Sie auf zwei Stellen nach dem Komma."),
        )
    return int(exact)


def euros(amount: int) -> Decimal:
    """Return cents as euros with two places."""
    return Decimal(amount).scaleb(-2, _EXACT)


def format_euro(amount: int) -> str:
    """Return cents as people write them here: `1.234,56 €`."""
    grouped = f"{euros(amount):,.2f}"
    return grouped.translate(str.maketrans(",.", ".,")) + " €"

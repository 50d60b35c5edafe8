"""What a password must be. Pure.

Length counts, not the mixture of signs (BSI ORP.4, NIST SP 800-63B): long enough, not made of the
person's own name, not one of the first that anybody tries.
"""

from collections.abc import Iterable

from django.utils.translation import gettext as _

MIN_LENGTH, MAX_LENGTH = 12, 200
_FEW_SIGNS = 5
_TRIED_FIRST = (
    "passwort", "password", "kennwort", "geheim", "qwertz", "qwerty", "123456", "hallo", "sommer",
    "winter", "verwaltung", "rathaus", "vollstreckung",
)  # fmt: skip


def faults(password: str, *, login: str, name: str) -> tuple[str, ...]:
    """Return all that is wrong with a password, for whom it concerns; empty if it is good."""
    return tuple(_faults(password, login, name))


def _faults(password: str, login: str, name: str) -> list[str]:
    found = []
    if len(password) < MIN_LENGTH:
        found.append(_("Das Kennwort braucht mindestens %d Zeichen.") % MIN_LENGTH)
    if len(password) > MAX_LENGTH:
        found.append(_("Das Kennwort hat höchstens %d Zeichen.") % MAX_LENGTH)
    if len(set(password)) < _FEW_SIGNS:
        found.append(_("Das Kennwort besteht aus zu wenigen verschiedenen Zeichen."))
    own = [part for part in (login, *name.replace(",", " ").split()) if len(part) > 2]  # noqa: PLR2004
    if _little_is_left(password, own):
        found.append(_("Das Kennwort besteht fast nur aus dem eigenen Namen."))
    elif _little_is_left(password, _TRIED_FIRST):
        found.append(_("Das Kennwort ist eines der ersten, die jemand ausprobiert."))
    return found


def _little_is_left(password: str, parts: Iterable[str]) -> bool:
    """Return whether hardly anything remains of a password that contains some of the parts."""
    rest = whole = password.casefold()
    for part in parts:
        rest = rest.replace(part.casefold(), "")
    return rest != whole and len(rest) < MIN_LENGTH // 2

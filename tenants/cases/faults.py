"""A fault of a draft, and the checks that every field of a kind shares. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from centre.kernel.quoting import quoted
from tenants.cases import checks
from tenants.cases.money import MAX_CENTS, format_euro
from tenants.cases.words import Words

#: The longest reference, name and free text.
LINE, NAME, TEXT = 120, 200, 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong. `path` names the field as `RequestDraft` does: `claims[0].due_on`."""

    path: str
    text: str
    #: What to do about it.
    hint: str
    #: The request may be sent all the same.
    warning: bool = False


type Faults = Iterator[Fault]


def text(
    path: str,
    value: str,
    what: str,
    *,
    needed: bool = True,
    limit: int = NAME,
    lines: bool = False,
) -> Faults:
    if needed and not value.strip():
        yield Fault(
            path=path,
            text=Words("Es fehlt %(what)s.", what=Words(what)),
            hint="Füllen Sie das Feld aus.",
        )
    if len(value) > max(limit, TEXT if lines else 0):
        yield Fault(
            path=path,
            text=Words(
                "Der Text hat %(length)s Zeichen, höchstens %(limit)s sind möglich.",
                length=len(value),
                limit=limit,
            ),
            hint="Kürzen Sie ihn.",
        )
    if foreign := checks.foreign_characters(value, lines=lines):
        shown = " ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in foreign)
        yield Fault(
            path=path,
            text=Words("Unzulässige Zeichen: %(signs)s", signs=quoted(shown)),
            hint="Erlaubt sind lateinische Zeichen nach DIN 91379.",
        )


def code(
    path: str, value: str, known: Mapping[str, str], what: str, *, needed: bool = True
) -> Faults:
    if not value and not needed:
        return
    if not value:
        yield Fault(
            path=path,
            text=Words("Es fehlt %(what)s.", what=Words(what)),
            hint="Wählen Sie einen Eintrag der Liste.",
        )
    elif value not in known:
        yield Fault(
            path=path,
            text=Words("„%(value)s“ ist kein Eintrag der Liste.", value=quoted(value)),
            hint=Words("Möglich sind: %(known)s", known=", ".join(known)),
        )


def past(path: str, day: date | None, what: str, today: date, *, needed: bool = True) -> Faults:
    if day is None:
        if needed:
            yield Fault(
                path=path,
                text=Words("%(what)s fehlt.", what=Words(what)),
                hint="Geben Sie es als TT.MM.JJJJ an.",
            )
    elif not checks.is_plausible(day, today=today):
        yield Fault(
            path=path,
            text=Words(
                "%(what)s (%(day)s) liegt in der Zukunft oder vor 1900.",
                what=Words(what),
                day=f"{day:%d.%m.}{day.year:04}",  # the year 26 is 0026
            ),
            hint="Prüfen Sie das Jahr.",
        )


def phone(path: str, value: str) -> Faults:
    if value.strip() and not checks.is_phone(value):
        yield Fault(
            path=path,
            text=Words("In „%(value)s“ steht keine Telefonnummer.", value=quoted(value)),
            hint="Schreiben Sie die Nummer in Ziffern, etwa 0571 89-123, oder lassen Sie sie weg.",
        )


def email(path: str, value: str) -> Faults:
    if value and not checks.is_email(value):
        yield Fault(
            path=path,
            text=Words("„%(value)s“ ist keine E-Mail-Adresse.", value=quoted(value)),
            hint="Berichtigen Sie die Adresse oder lassen Sie das Feld leer.",
        )


def amount(
    path: str, amount: int | None, what: str, *, needed: bool = True, least: int = 0
) -> Faults:
    if amount is None:
        if needed:
            yield Fault(
                path=path,
                text=Words("Es fehlt %(what)s.", what=Words(what)),
                hint="Geben Sie ihn in Euro an.",
            )
    elif not least <= amount <= MAX_CENTS:
        yield Fault(
            path=path,
            text=Words("%(amount)s ist hier kein möglicher Betrag.", amount=format_euro(amount)),
            hint=Words(
                "Möglich sind %(least)s bis %(most)s.",
                least=format_euro(least),
                most=format_euro(MAX_CENTS),
            ),
        )


def count(path: str, number: int, most: int, what: str) -> Faults:
    if number == 0:
        yield Fault(
            path=path,
            text=Words("Es fehlt: %(what)s.", what=Words(what)),
            hint="Mindestens ein Eintrag ist nötig.",
        )
    elif number > most:
        yield Fault(
            path=path,
            text=Words(
                "%(number)s Einträge (%(what)s) sind zu viele.", number=number, what=Words(what)
            ),
            hint=Words("Höchstens %(most)s passen in ein Ersuchen; teilen Sie es.", most=most),
        )

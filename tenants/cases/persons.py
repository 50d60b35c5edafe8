"""What is wrong with a person or an address. Pure."""

from datetime import date

from centre.kernel.quoting import quoted
from tenants.cases import checks, codes, faults
from tenants.cases.drafts import Address, Debtor
from tenants.cases.faults import Fault, Faults
from tenants.cases.words import Words

_MAX_FORMER_ADDRESSES = 20


def check(path: str, debtor: Debtor, today: date) -> Faults:
    """Yield all faults of a debtor."""
    yield from faults.code(f"{path}.kind", debtor.kind, codes.PERSON_KINDS, "die Art der Person")
    yield from faults.code(f"{path}.role", debtor.role, codes.DEBTOR_ROLES, "die Rolle")
    yield from _legal(path, debtor) if debtor.kind == "legal" else _natural(path, debtor, today)
    yield from address(f"{path}.address", debtor.address)
    for index, former in enumerate(debtor.former_addresses[:_MAX_FORMER_ADDRESSES]):
        yield from address(f"{path}.former_addresses[{index}]", former)
    for name in ("representatives", "employer", "banks", "phone", "birth_name", "birth_place"):
        yield from faults.text(f"{path}.{name}", getattr(debtor, name), "das Feld", needed=False)
    yield from faults.phone(f"{path}.phone", debtor.phone)
    yield from faults.email(f"{path}.email", debtor.email)


def _natural(path: str, debtor: Debtor, today: date) -> Faults:
    yield from faults.text(f"{path}.surname", debtor.surname, "der Familienname")
    yield from faults.text(f"{path}.first_names", debtor.first_names, "der Vorname")
    yield from faults.past(
        f"{path}.birth_on", debtor.birth_on, "Das Geburtsdatum", today, needed=False
    )
    yield from faults.code(f"{path}.gender", debtor.gender, codes.GENDERS, "", needed=False)
    if debtor.company_name:
        yield Fault(
            path=f"{path}.company_name",
            text="Eine natürliche Person hat keinen Firmennamen.",
            hint="Leeren Sie das Feld oder wählen Sie „Juristische Person“.",
        )


def _legal(path: str, debtor: Debtor) -> Faults:
    yield from faults.text(
        f"{path}.company_name", debtor.company_name, "der Name der juristischen Person"
    )
    yield from faults.text(f"{path}.legal_form", debtor.legal_form, "die Rechtsform")
    yield from faults.text(f"{path}.seat", debtor.seat, "der Sitz")
    if debtor.surname or debtor.first_names:
        yield Fault(
            path=f"{path}.surname",
            text="Eine juristische Person hat keinen Familien- oder Vornamen.",
            hint="Tragen Sie Vertreter in das Feld „Vertreten durch“ ein.",
        )


def address(path: str, given: Address) -> Faults:
    """Yield all faults of an address."""
    yield from faults.text(f"{path}.street", given.street, "die Straße")
    for name in ("house_number", "supplement"):
        yield from faults.text(f"{path}.{name}", getattr(given, name), "das Feld", needed=False)
    yield from faults.text(f"{path}.place", given.place, "der Ort")
    country = given.country
    if not (len(country) == len("DE") and country.isascii() and country.isupper()):
        yield Fault(
            path=f"{path}.country",
            text=Words("„%(value)s“ ist kein Länderkürzel.", value=quoted(country)),
            hint="Geben Sie zwei Großbuchstaben an, zum Beispiel DE.",
        )
    elif country == "DE" and not checks.is_postcode(given.postcode):
        yield Fault(
            path=f"{path}.postcode",
            text=Words("„%(value)s“ ist keine deutsche Postleitzahl.", value=quoted(given.postcode))
            if given.postcode
            else "Die Postleitzahl fehlt.",
            hint="Geben Sie fünf Ziffern an, mit führender Null.",
        )

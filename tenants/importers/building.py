"""From a row of cells to a request, with everything that is wrong at its column. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b, sha256
from typing import Any, Final
from uuid import UUID

from centre.kernel.quoting import quoted
from tenants.cases import validation
from tenants.cases.codes import Codes
from tenants.cases.days import parse_day
from tenants.cases.drafts import (
    Address,
    AncillaryClaim,
    Claim,
    Contact,
    Creditor,
    Danger,
    Debtor,
    Enforceability,
    Instalments,
    Reminder,
    Remittance,
    RequestDraft,
    Title,
)
from tenants.cases.money import MAX_CENTS, parse_euro
from tenants.cases.validation import Limits
from tenants.cases.words import Unreadable, Words
from tenants.importers.columns import BY_HEADER, COLUMNS, Column, Form, header_of
from tenants.importers.reading import Row

_YES: Final = {"ja": True, "j": True, "nein": False, "n": False}
_KEY: Final = ("Aktenzeichen", "Kassenzeichen", "Titel Aktenzeichen")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """Something wrong in a row: at which column, in words, and what to do."""

    header: str
    text: str
    hint: str
    value: str = ""
    warning: bool = False


def describe(fault: RowFault) -> dict[str, object]:
    """Return a fault as rows keep it; a value that its text repeats stands there alone."""
    value = quoted(fault.value)
    words = {"text": fault.text, "hint": fault.hint}
    return {
        "header": fault.header,
        "text": fault.text,
        "hint": fault.hint,
        "value": "" if f"„{value}“" in fault.text else value,
        "warning": fault.warning,
        "words": {part: said.kept() for part, said in words.items() if isinstance(said, Words)},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a row says. `draft` lacks the requested authority, which the directory finds."""

    line: int
    key: str
    fingerprint: str
    cells: Mapping[str, str]
    draft: RequestDraft
    faults: tuple[RowFault, ...]
    #: What the row adds to the totals; None where an amount is unreadable or absurd.
    cents: int | None

    @property
    def errors(self) -> tuple[RowFault, ...]:
        """The faults with which the row cannot be imported."""
        return tuple(fault for fault in self.faults if not fault.warning)


def row_key(cells: Mapping[str, str]) -> str:
    """Return what makes a row the same as one imported before; empty if it says nothing."""
    if not any(cells.get(header) for header in _KEY):
        return ""
    parts = "\0".join(cells.get(header, "").casefold() for header in _KEY)
    return sha256(parts.encode()).hexdigest()


def fingerprint(cells: Mapping[str, str]) -> str:
    """Return what differs as soon as a row says anything else, in whatever order of columns."""
    said = "\0".join(f"{header}\1{cells[header]}" for header in sorted(cells) if cells[header])
    return blake2b(said.encode(), digest_size=16).hexdigest()


def build(row: Row, *, today: date, limits: Limits | None = None) -> Built:
    """Return the request of a row with all its faults."""
    cells = row.cells
    faults: list[RowFault] = []
    if row.problem:
        first = COLUMNS[0].header
        faults.append(RowFault(header=first, text=row.problem, hint=row.hint))
        return Built(
            line=row.line,
            key="",  # its cells may have slipped
            fingerprint="",
            cells=cells,
            draft=RequestDraft(own_reference=cells.get("Aktenzeichen", "")),
            faults=tuple(faults),
            cents=None,
        )
    values = {
        column.header: _value(column, cells.get(column.header, ""), faults) for column in COLUMNS
    }
    draft = _draft(values)
    broken = {fault.header for fault in faults}
    # The authority is looked up afterwards; here any stands for it, so that it is not missed.
    checked = replace(draft, requested_authority=UUID(int=1))
    for fault in validation.validate(checked, today=today, limits=limits or Limits()):
        header = _mended_in(header_of(fault.path), cells)
        if header in broken:
            continue  # unreadable: that it is missing too, nobody needs to hear
        if any((known.header, known.text) == (header, fault.text) for known in faults):
            continue
        faults.append(
            RowFault(
                header=header,
                text=fault.text,
                hint=fault.hint,
                value=cells.get(header, ""),
                warning=fault.warning,
            )
        )
    return Built(
        line=row.line,
        key=row_key(cells),
        fingerprint=fingerprint(cells),
        cells=cells,
        draft=draft,
        faults=tuple(faults),
        cents=_cents(draft, broken),
    )


def _mended_in(header: str, cells: Mapping[str, str]) -> str:
    """Return in which of two columns people mend what the two say together."""
    if header == "Offen" and not cells.get(header):
        return "Hauptforderung"
    if header == "Vollstreckbar bestaetigt von" and cells.get(header):
        return "Vollstreckbar bestaetigt am"
    return header


def _cents(draft: RequestDraft, broken: set[str]) -> int | None:
    unreadable = any(BY_HEADER[header].form is Form.EURO for header in broken)
    return None if unreadable or abs(draft.total_cents) > MAX_CENTS else draft.total_cents


def _value(column: Column, cell: str, faults: list[RowFault]) -> Any:
    """Return a cell's value, or None for an empty or unreadable one."""
    if column.form is Form.TEXT:
        return cell
    if not cell:
        return () if column.form is Form.CODES else None
    try:
        return _READERS[column.form](cell, column.codes or {})
    except Unreadable as error:
        faults.append(RowFault(header=column.header, text=error.text, hint=error.hint, value=cell))
        return () if column.form is Form.CODES else None


def _not(form: Form, text: Words) -> Unreadable:
    return Unreadable(text, Words("Erwartet wird: %(form)s.", form=Words(form)))


def _day(cell: str, _codes: Codes) -> date:
    return parse_day(cell)


def _euro(cell: str, _codes: Codes) -> int:
    return parse_euro(cell)


def _yes_no(cell: str, _codes: Codes) -> bool:
    answer = _YES.get(cell.casefold())
    if answer is None:
        raise _not(Form.YES_NO, Words("„%(value)s“ ist weder ja noch nein.", value=quoted(cell)))
    return answer


def _number(cell: str, _codes: Codes) -> int:
    if not cell.isascii() or not cell.isdigit() or len(cell) > 6:  # noqa: PLR2004 -- a sane number
        raise _not(Form.NUMBER, Words("„%(value)s“ ist keine ganze Zahl.", value=quoted(cell)))
    return int(cell)


def _code(cell: str, codes: Codes) -> str:
    if cell in codes:
        return cell
    for code, words in codes.items():
        if cell.casefold() in {code.casefold(), words.casefold()}:
            return code
    text = Words(
        "„%(value)s“ steht nicht in der Liste: %(known)s.",
        value=quoted(cell),
        known=", ".join(codes),
    )
    raise _not(Form.CODE, text)


def _codes(cell: str, codes: Codes) -> tuple[str, ...]:
    parts = (part.strip() for part in cell.split("|"))
    return tuple(dict.fromkeys(_code(part, codes) for part in parts if part))


_READERS: Final = {
    Form.DAY: _day,
    Form.EURO: _euro,
    Form.YES_NO: _yes_no,
    Form.NUMBER: _number,
    Form.CODE: _code,
    Form.CODES: _codes,
}
assert all(column.form in _READERS or column.form is Form.TEXT for column in BY_HEADER.values())


def _draft(v: Mapping[str, Any]) -> RequestDraft:
    return RequestDraft(
        legal_relation=v["Rechtsverhaeltnis"] or "assistance",
        legal_basis=v["Rechtsgrundlage"],
        creditor=Creditor(name=v["Glaeubiger"]),
        own_reference=v["Aktenzeichen"],
        ordered_by=v["Angeordnet von"],
        automated=True,
        debtors=(_debtor(v),),
        titles=(_title(v),),
        claims=(_claim(v),),
        enforceability=Enforceability(
            confirmed_by=v["Vollstreckbar bestaetigt von"],
            confirmed_on=v["Vollstreckbar bestaetigt am"],
        ),
        reminder=Reminder(reminded_on=v["Mahnung am"], waived_reason=v["Mahnung entfallen weil"]),
        danger=Danger(known=v["Gefahr bekannt"], text=v["Gefahrenhinweis"]),
        measures=v["Massnahmen"],
        instalments=Instalments(
            permitted=v["Ratenzahlung"],
            minimum_rate_cents=v["Mindestrate"],
            maximum_months=v["Raten hoechstens Monate"],
        ),
        contact=Contact(name=v["Ansprechperson"], phone=v["Telefon"], email=v["E-Mail"]),
        remittance=Remittance(
            account_holder=v["Kontoinhaber"],
            iban=v["IBAN"],
            bic=v["BIC"],
            payment_reference=v["Kassenzeichen"],
        ),
        tax_secrecy=bool(v["Steuergeheimnis"]),
        social_data=bool(v["Sozialdaten"]),
        forwarding_permitted=bool(v["Weiterleitung erlaubt"]),
        urgency="urgent" if v["Eilig weil"] else "normal",
        urgency_reason=v["Eilig weil"],
        note=v["Bemerkung"],
    )


def _debtor(v: Mapping[str, Any]) -> Debtor:
    address = Address(
        street=v["Strasse"], house_number=v["Hausnummer"], postcode=v["PLZ"], place=v["Ort"]
    )
    if v["Firma"]:
        return Debtor(
            kind="legal",
            company_name=v["Firma"],
            legal_form=v["Rechtsform"],
            seat=v["Ort"],
            surname=v["Nachname"],
            first_names=v["Vornamen"],
            address=address,
        )
    return Debtor(
        surname=v["Nachname"],
        first_names=v["Vornamen"],
        birth_on=v["Geburtsdatum"],
        address=address,
    )


def _title(v: Mapping[str, Any]) -> Title:
    return Title(
        kind=v["Titelart"] or "",
        issuer=v["Titel Behoerde"],
        reference=v["Titel Aktenzeichen"],
        issued_on=v["Titel Datum"],
        served_on=v["Titel zugestellt am"],
        final_on=v["Titel rechtskraeftig am"],
    )


def _claim(v: Mapping[str, Any]) -> Claim:
    original = v["Hauptforderung"]
    until = v["Saeumnis bis"]
    extras = (
        ("late_payment_surcharge", "Saeumniszuschlag", until),
        ("interest", "Zinsen", until),
        ("reminder_fee", "Mahngebuehr", None),
        ("expenses", "Auslagen", None),
    )
    return Claim(
        revenue_kind=v["Einnahmeart"] or "",
        reason=v["Forderungsgrund"],
        due_on=v["Faellig am"],
        original_cents=original,
        open_cents=original if v["Offen"] is None else v["Offen"],
        limitation_end=v["Verjaehrt am"],
        ancillary=tuple(
            AncillaryClaim(
                kind=kind,
                amount_cents=v[header],
                computed_until=day,
                runs_on=day is not None,
                basis="§ 240 AO" if kind == "late_payment_surcharge" else "",
            )
            for kind, header, day in extras
            if v[header]
        ),
    )

"""Where each field of a request stands on the sheet, and how wide it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from tenants.cases.drafts import RequestDraft
from tenants.web.forms.sheet import Group, Part, Sheet
from tenants.web.phrases import say

type Row = tuple[tuple[str, str], ...]


def _row(width: str, *names: str) -> Row:
    return tuple((name, width) for name in names)


_DEBTOR: Row = (
    *_row("half", "kind", "role"),
    *_row("half amt-natural", "surname", "first_names"),
    *_row("twothirds amt-legal", "company_name"),
    *_row("third amt-legal", "legal_form"),
    *_row("twothirds", "address__street"),
    *_row("third", "address__house_number", "address__postcode"),
    *_row("twothirds", "address__place"),
    *_row("third amt-legal", "seat"),
    *_row("third amt-natural", "birth_on", "birth_name", "birth_place"),
)
_DEBTOR_MORE: Row = (
    *_row("third amt-natural", "doctor_title", "gender"),
    *_row("third", "address__supplement"),
    *_row("third amt-legal", "register_court", "register_number"),
    *_row("full", "representatives"),
    *_row("half", "phone", "email", "employer", "banks"),
    *_row("full", "disclosure_blocked"),
)
_TITLE: Row = (
    *_row("half", "kind", "issuer"),
    *_row("third", "reference", "issued_on", "final_on"),
    *_row("third", "served_on", "served_how"),
    *_row("half", "immediately_enforceable", "immediate_basis"),
)
_CLAIM: Row = (
    *_row("half", "revenue_kind", "reason"),
    *_row("third", "original_cents", "open_cents", "due_on"),
    *_row("third", "period_from", "period_until", "limitation_end"),
    *_row("third", "title_number"),
)
_ANCILLARY: Row = (
    *_row("third", "kind", "amount_cents", "computed_until"),
    *_row("half", "basis", "runs_on"),
)
_ONE_OF_MANY = {
    "debtors": _("Schuldner"),
    "titles": _("Titel"),
    "claims": _("Forderung"),
    "ancillary": _("Nebenforderung"),
}
_PARTS = {"debtors": _DEBTOR, "titles": _TITLE, "claims": _CLAIM, "ancillary": _ANCILLARY}


@dataclass(frozen=True)
class Place:
    """A field and its width on the sheet."""

    field: BoundField
    width: str


@dataclass(frozen=True)
class Section:
    """A heading of the sheet with what stands below it: once, or a group of parts."""

    anchor: str
    title: Any
    row: Row = ()
    group: str = ""
    hint: Any = ""
    #: What is said where something here is suggested.
    suggestion: Any = ""

    def bound(self, sheet: Sheet) -> "BoundSection":
        return BoundSection(self, sheet)


@dataclass(frozen=True)
class BoundPart:
    """A part of a group with its fields in place."""

    part: Part

    def places(self) -> list[Place]:
        return list(_places(self.part, _PARTS[self._kind]))

    def more(self) -> list[Place]:
        """Return the fields that are rarely needed."""
        return list(_places(self.part, _DEBTOR_MORE)) if self._kind == "debtors" else []

    def more_is_open(self) -> bool:
        return any(place.field.errors or place.field.value() for place in self.more())

    def extras(self) -> "BoundGroup | None":
        return BoundGroup(self.part.children) if self.part.children else None

    @property
    def _kind(self) -> str:
        return self.part.prefix.split("-")[-2]


@dataclass(frozen=True)
class BoundGroup:
    """A group with its parts in place."""

    group: Group

    def parts(self) -> list[BoundPart]:
        return [BoundPart(part) for part in self.group.parts]


@dataclass(frozen=True)
class BoundSection:
    """A section for one sheet."""

    section: Section
    sheet: Sheet

    def places(self) -> list[Place]:
        return list(_places(self.sheet.general, self.section.row))

    def group(self) -> BoundGroup | None:
        if not self.section.group:
            return None
        return BoundGroup(getattr(self.sheet, self.section.group))


def _places(part: Part, row: Row) -> Iterator[Place]:
    for name, width in row:
        yield Place(part.form[name], width)


SECTIONS = (
    Section("schuldner", _("Schuldner"), group="debtors"),
    Section("behoerde", _("Ersuchte Behörde")),
    Section(
        "titel",
        _("Titel (zu vollstreckender Verwaltungsakt)"),
        group="titles",
        suggestion=_("Die erlassende Behörde steht hier wie im letzten Ersuchen Ihrer Kommune."),
    ),
    Section("forderungen", _("Forderungen"), group="claims"),
    Section(
        "voraussetzungen",
        _("Vollstreckbarkeit und Mahnung"),
        row=(
            *_row("twothirds", "enforceability__confirmed_by"),
            *_row("third", "enforceability__confirmed_on", "reminder__reminded_on"),
            *_row("twothirds", "reminder__waived_reason"),
        ),
        hint=_(
            "Die ersuchende Behörde bestätigt, dass die Voraussetzungen der Vollstreckung "
            "vorliegen. Nichts davon ist vorausgefüllt."
        ),
    ),
    Section("gefahr", _("Gefahrenhinweis"), row=_row("full", "danger__known", "danger__text")),
    Section(
        "auftrag",
        _("Auftrag"),
        row=(
            *_row("half", "measures", "excluded_measures"),
            *_row("third", "instalments__permitted"),
            *_row("third", "instalments__minimum_rate_cents", "instalments__maximum_months"),
            *_row("full", "forwarding_permitted"),
            *_row("third", "urgency"),
            *_row("twothirds", "urgency_reason"),
            *_row("full", "note"),
        ),
    ),
    Section(
        "ersuchende",
        _("Ersuchende Behörde"),
        row=(
            *_row("half", "own_reference", "legal_relation", "legal_basis", "ordered_by"),
            *_row("full", "creditor__name"),
            *_row("half", "contact__name", "contact__unit", "contact__phone", "contact__email"),
            *_row("half", "tax_secrecy", "social_data"),
        ),
        suggestion=_("Die Ansprechperson steht hier wie in Ihrem letzten Ersuchen."),
    ),
    Section(
        "abfuehrung",
        _("Bankverbindung für die Abführung"),
        row=(
            *_row("half", "remittance__account_holder", "remittance__payment_reference"),
            *_row("twothirds", "remittance__iban"),
            *_row("third", "remittance__bic"),
        ),
        suggestion=_(
            "Das Konto steht hier wie im letzten Ersuchen Ihrer Kommune. Bitte prüfen Sie es."
        ),
    ),
)


def suggested(begun: RequestDraft) -> list[str]:
    """Return the anchors of the sections in which a draft suggests something."""
    blank = RequestDraft()
    places = {
        "titel": begun.titles != blank.titles,
        "ersuchende": begun.contact != blank.contact,
        "abfuehrung": begun.remittance != blank.remittance,
    }
    return [anchor for anchor, is_there in places.items() if is_there]


#: Where a fault belongs that stands at no field, by the first word of its path.
_ANCHORS = {each.group: each.anchor for each in SECTIONS if each.group} | {
    "requested_authority": "behoerde"
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something to put right: what it is called, what is wrong, and where it stands."""

    label: str
    text: str
    anchor: str
    #: None: it is about the whole section.
    field: BoundField | None = None


def mistakes(sheet: Sheet) -> list[Mistake]:
    """Return all that is marked on a sheet, in the order of the page."""
    return [each for section in SECTIONS for each in _mistakes(section.bound(sheet))]


def _mistakes(bound: BoundSection) -> Iterator[Mistake]:
    section, sheet = bound.section, bound.sheet
    for fault in sheet.homeless:
        head = re.split(r"[.\[]", fault.path)[0]
        if _ANCHORS.get(head, "ersuchende") == section.anchor:
            text = f"{say(fault.text)} {say(fault.hint)}".strip()
            yield Mistake(str(section.title), text, section.anchor)
    for place in bound.places():
        yield from _wrong(place, section.anchor)
    if group := bound.group():
        yield from _of_group(group, section.anchor, "")


def _of_group(group: BoundGroup, anchor: str, within: str) -> Iterator[Mistake]:
    parts = group.parts()
    for bound in parts:
        name = f"{_ONE_OF_MANY[group.group.kind]} {bound.part.number}"
        inside = (
            f"{within}{name}, " if len(parts) > 1 or group.group.kind == "ancillary" else within
        )
        for place in [*bound.places(), *bound.more()]:
            yield from _wrong(place, anchor, inside)
        if extras := bound.extras():
            yield from _of_group(extras, anchor, inside)


def _wrong(place: Place, anchor: str, within: str = "") -> Iterator[Mistake]:
    for text in place.field.errors:
        yield Mistake(f"{within}{place.field.label}", str(text), anchor, place.field)

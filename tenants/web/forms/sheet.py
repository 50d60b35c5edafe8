"""The whole request as one sheet of forms: from a draft to fields, and back.

Debtors, titles, claims and their ancillary claims come any number of times. How many there are
travels in the sheet itself, so that adding one works without a script.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from django import forms

from centre.kernel import clock
from tenants.cases.drafts import AncillaryClaim, Claim, Debtor, RequestDraft, Title
from tenants.cases.faults import Fault
from tenants.cases.validation import errors, validate
from tenants.web.forms.request import (
    AncillaryForm,
    ClaimForm,
    DebtorForm,
    GeneralForm,
    TitleForm,
)
from tenants.web.phrases import say

MOST = {"debtors": 10, "titles": 20, "claims": 50, "ancillary": 20}
_FORMS: dict[str, tuple[type[forms.Form], Any]] = {
    "debtors": (DebtorForm, Debtor()),
    "titles": (TitleForm, Title()),
    "claims": (ClaimForm, Claim()),
    "ancillary": (AncillaryForm, AncillaryClaim()),
}

# Some faults are about two fields together: these are the fields, the one to look at first.
_MEANT = {
    "enforceability": ("enforceability.confirmed_by", "enforceability.confirmed_on"),
    "reminder": ("reminder.reminded_on",),
}

type Data = Mapping[str, Any]


@dataclass
class Part:
    """One form of the sheet, and which record of the draft it fills."""

    path: str
    record: Any
    form: forms.Form
    number: int = 1
    children: "Group | None" = None

    @property
    def prefix(self) -> str:
        return self.form.prefix or ""

    def result(self) -> Any:
        """Return the record as typed; a field that cannot be read says nothing."""
        nothing = _values(type(self.record)(), type(self.form))
        record = _filled(self.record, nothing | self.form.cleaned_data)
        if self.children is not None:
            record = replace(record, ancillary=self.children.result())
        return record

    def family(self) -> Iterator["Part"]:
        yield self
        for child in self.children.parts if self.children else ():
            yield from child.family()


@dataclass(frozen=True)
class Group:
    """The parts of one kind, and where more of them go."""

    kind: str
    prefix: str
    parts: tuple[Part, ...]

    @property
    def listed(self) -> str:
        """Return which numbers its parts bear, for the hidden field that tells us again."""
        return ",".join(part.prefix.rpartition("-")[2] for part in self.parts)

    @property
    def may_grow(self) -> bool:
        return len(self.parts) < MOST[self.kind]

    def result(self) -> tuple[Any, ...]:
        return tuple(part.result() for part in self.parts)


class Sheet:
    """A draft on paper: bound to what was typed, or showing what is stored."""

    def __init__(self, draft: RequestDraft, data: Data | None = None) -> None:
        self._draft = draft
        self._data = data
        #: What is wrong and stands at no field.
        self.homeless: list[Fault] = []
        self._change = str(data.get("change", "")) if data is not None else ""
        self.general = Part("", draft, self._form(GeneralForm, draft, "general"))
        self.debtors = self._group("debtors", draft.debtors, least=1)
        self.titles = self._group("titles", draft.titles, least=1)
        self.claims = self._group("claims", draft.claims, least=1)

    @property
    def is_changed(self) -> bool:
        """Say whether a part was to be added or taken away, rather than the sheet handed in."""
        return bool(self._change)

    @cached_property
    def authority(self) -> UUID | None:
        """Return the chosen authority."""
        if self._data is None:
            return self._draft.requested_authority
        try:
            return UUID(str(self._data.get("authority", "")))
        except ValueError:
            return None

    def parts(self) -> Iterator[Part]:
        """Return all forms, in the order of the page."""
        for group in (self.debtors, self.titles, self.claims):
            for part in group.parts:
                yield from part.family()
        yield self.general

    def is_readable(self) -> bool:
        """Say whether every field can be read; what cannot is marked at the field."""
        readable = [part.form.is_valid() for part in self.parts()]  # each marks its own fields
        return all(readable)

    def draft(self) -> RequestDraft:
        """Return what the sheet says, without what cannot be read. Ask `is_readable` first."""
        general: RequestDraft = self.general.result()
        return replace(
            general,
            requested_authority=self.authority,
            debtors=self.debtors.result(),
            titles=self.titles.result(),
            claims=self.claims.result(),
        )

    def as_typed(self) -> dict[str, Any]:
        """Return what somebody would have typed who wrote this sheet."""
        typed: dict[str, Any] = {"authority": str(self.authority or "")}
        for group in self._groups():
            typed[f"{group.prefix}-list"] = group.listed
        for part in self.parts():
            for name in part.form.fields:
                field = part.form[name]
                value = field.value()
                typed[field.html_name] = (
                    value
                    if isinstance(value, list | tuple)
                    else ("" if value is None or value is False else value)
                )
        return typed

    def _groups(self) -> Iterator[Group]:
        yield from (self.debtors, self.titles, self.claims)
        for part in self.claims.parts:
            if part.children is not None:
                yield part.children

    def mark(self, faults: Iterable[Fault]) -> None:
        """Write each fault at the field that it is about; keep those that are about none.

        What cannot be read is not also said to be missing.
        """
        self.homeless = []
        by_path = {part.path: part for part in self.parts()}
        unreadable = {(part.path, name) for part in self.parts() for name in dict(part.form.errors)}
        for fault in faults:
            about = [_field_of(by_path, path) for path in _MEANT.get(fault.path, (fault.path,))]
            if any(part and (part.path, name) in unreadable for part, name in about):
                continue
            part, name = about[0]
            if part is not None and name in part.form.fields:
                part.form.add_error(name, f"{say(fault.text)} {say(fault.hint)}".strip())
            else:
                self.homeless.append(fault)

    @property
    def is_faulty(self) -> bool:
        """Say whether anything is marked."""
        return bool(self.homeless) or any(part.form.errors for part in self.parts())

    def _group(
        self, kind: str, records: tuple[Any, ...], *, least: int, parent: str = "", path: str = ""
    ) -> Group:
        form, blank = _FORMS[kind]
        prefix = f"{parent}-{kind}" if parent else kind
        parts: list[Part] = []
        for position in self._positions(kind, prefix, len(records), least):
            number = len(parts)
            record = records[position] if position < len(records) else blank
            here = f"{path}{kind}[{number}]"
            own = f"{prefix}-{position}"
            children = None
            if isinstance(record, Claim):
                extras = record.ancillary
                children = self._group("ancillary", extras, least=0, parent=own, path=f"{here}.")
            parts.append(Part(here, record, self._form(form, record, own), number + 1, children))
        return Group(kind, prefix, tuple(parts))

    def _positions(self, kind: str, prefix: str, stored: int, least: int) -> list[int]:
        """Return which numbers the parts of one kind bear; one taken away leaves a gap."""
        if self._data is None:
            return list(range(max(stored, least)))
        listed = str(self._data.get(f"{prefix}-list", ""))
        positions = [int(text) for text in listed.split(",") if text.isascii() and text.isdigit()]
        positions = positions[: MOST[kind]] or list(range(least))
        if self._change == f"more:{prefix}" and len(positions) < MOST[kind]:
            positions.append(max(positions, default=-1) + 1)
        removed = self._change.removeprefix(f"less:{prefix}-")
        if removed != self._change and removed.isdigit() and len(positions) > least:
            positions = [position for position in positions if position != int(removed)]
        return positions

    def _form(self, form: type[forms.Form], record: Any, prefix: str) -> forms.Form:
        fresh = self._change.startswith("more:") and not any(
            name.startswith(f"{prefix}-") for name in self._data or {}
        )
        data = None if fresh else self._data
        made = form(data, prefix=prefix, initial=_values(record, form))
        needed = _needed_of(form)
        for name, field in made.fields.items():
            field.on_sheet, field.is_needed = True, name in needed  # type: ignore[attr-defined]
        return made


@cache
def _needed() -> frozenset[str]:
    """Return the paths of everything that must be stated: what an empty request is faulted for."""
    blank = RequestDraft(
        debtors=(Debtor(),), titles=(Title(),), claims=(Claim(ancillary=(AncillaryClaim(),)),)
    )
    faults = errors(validate(blank, today=clock.today()))
    return frozenset(path for fault in faults for path in _MEANT.get(fault.path, (fault.path,)))


def _needed_of(form: type[forms.Form]) -> set[str]:
    heads = {
        DebtorForm: "debtors[0].",
        TitleForm: "titles[0].",
        ClaimForm: "claims[0].",
        AncillaryForm: "claims[0].ancillary[0].",
        GeneralForm: "",
    }
    head = heads[form]
    return {path[len(head) :].replace(".", "__") for path in _needed() if path.startswith(head)}


def _values(record: Any, form: type[forms.Form]) -> dict[str, Any]:
    values = {}
    for name in form.base_fields:
        value = record
        for step in name.split("__"):
            value = getattr(value, step)
        values[name] = value
    return values


def _filled(record: Any, cleaned: Mapping[str, Any]) -> Any:
    """Return the record with the values of a form; attributes without a field stay."""
    flat: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in cleaned.items():
        head, _, rest = name.partition("__")
        if rest:
            nested[head][rest] = value
        else:
            flat[name] = value
    for head, values in nested.items():
        flat[head] = replace(getattr(record, head), **values)
    return replace(record, **flat)


def _field_of(parts: Mapping[str, Part], path: str) -> tuple[Part | None, str]:
    """Return the part whose path a fault's path begins with, and the name of its field."""
    path = re.sub(r"(measures)\[\d+\]$", r"\1", path)
    best = max((p for p in parts if p and path.startswith(f"{p}.")), key=len, default="")
    rest = path[len(best) + 1 :] if best else path
    return parts.get(best), rest.replace(".", "__")

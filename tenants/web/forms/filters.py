"""What narrows the worklist, as it stands in the address."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.cases.graph import Side, State
from tenants.cases.selectors import MAX_AUTHORITIES
from tenants.web.forms.fields import Day, PlainSelect, Tick

SIDES: Final[Mapping[Side, Any]] = MappingProxyType({
    Side.REQUESTING: gettext_lazy("Wir ersuchen"),
    Side.REQUESTED: gettext_lazy("Wir werden ersucht"),
})  # fmt: skip
#: Words that are true on both sides; the list itself says what each side has to do.
STATES: Final[Mapping[State, Any]] = MappingProxyType({
    State.DRAFT: gettext_lazy("Entwurf"),
    State.SUBMITTED: gettext_lazy("Abgesandt"),
    State.UNDELIVERABLE: gettext_lazy("Unzustellbar"),
    State.DELIVERED: gettext_lazy("Zugestellt"),
    State.REGISTERED: gettext_lazy("In Prüfung"),
    State.QUERIED: gettext_lazy("In Prüfung, Rückfrage offen"),
    State.ACCEPTED: gettext_lazy("In Vollstreckung"),
    State.ACCEPTED_QUERIED: gettext_lazy("In Vollstreckung, Rückfrage offen"),
    State.WITHDRAWING: gettext_lazy("Rücknahme läuft"),
    State.REFUSED: gettext_lazy("Abgelehnt"),
    State.COMPLETED: gettext_lazy("Erledigt"),
    State.WITHDRAWN: gettext_lazy("Zurückgenommen"),
    State.GIVEN_UP: gettext_lazy("Aufgegeben"),
    State.CLOSED: gettext_lazy("Abgeschlossen"),
})  # fmt: skip
#: Fields by their names in addresses, which people read.
_IN_ADDRESSES: Final = MappingProxyType({
    "side": "seite",
    "state": "zustand",
    "authority": "behoerde",
    "opened_from": "von",
    "opened_until": "bis",
    "overdue": "ueberfaellig",
})  # fmt: skip
_ALL: Final = gettext_lazy("alle")


class FilterForm(forms.Form):
    side = forms.TypedChoiceField(
        label=gettext_lazy("Richtung"),
        required=False,
        choices=[("", _ALL), *SIDES.items()],
        coerce=Side,
        widget=PlainSelect,
    )
    state = forms.TypedChoiceField(
        label=gettext_lazy("Stand"),
        required=False,
        choices=[("", _ALL), *STATES.items()],
        coerce=State,
        widget=PlainSelect,
    )
    authority = forms.TypedChoiceField(
        label=gettext_lazy("Andere Behörde"), required=False, coerce=UUID, widget=PlainSelect
    )
    opened_from = Day(gettext_lazy("Eingang oder Versand von"))
    opened_until = Day(gettext_lazy("Eingang oder Versand bis"))
    overdue = Tick(gettext_lazy("nur überfällige"))

    def __init__(self, data: Any, *, authorities: Sequence[tuple[UUID, str]]) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.fields["authority"].choices = [("", _ALL), *authorities]  # type: ignore[attr-defined]
        if len(authorities) >= MAX_AUTHORITIES:
            self.fields["authority"].help_text = _(
                "Hier stehen die Behörden mit den meisten Vorgängen. Andere finden Sie über das"
                " Suchfeld."
            )
        for field in self.fields.values():
            # Here everything is optional, so nothing says so.
            field.on_sheet = True  # type: ignore[attr-defined]

    def add_prefix(self, field_name: str) -> str:
        return _IN_ADDRESSES.get(field_name, field_name)

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        first, last = said.get("opened_from"), said.get("opened_until")
        if first and last and last < first:
            self.add_error("opened_until", _("Dieser Tag liegt vor dem ersten."))
        return said

    def chosen(self) -> dict[str, Any]:
        """Return what was chosen, without what is faulty: that narrows nothing."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    def address(self) -> dict[str, str]:
        """Return the same as it stands in an address."""
        return {self.add_prefix(name): self._spelt(name) for name in self.chosen()}

    def words(self, name: str) -> str:
        """Return what was chosen in a field as people read it."""
        field, value = self.fields[name], self.cleaned_data[name]
        if isinstance(field, forms.ChoiceField):
            listed: dict[str, Any] = {str(key): words for key, words in field.widget.choices}
            return str(listed[str(value)])
        return "" if value is True else self._spelt(name)

    def _spelt(self, name: str) -> str:
        value = self.cleaned_data[name]
        return "ja" if value is True else str(self.fields[name].prepare_value(value))

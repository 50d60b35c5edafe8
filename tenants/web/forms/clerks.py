"""Accounts: who may sign in, and as what."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.clerks.roles import Role


def _roles() -> list[tuple[str, str]]:
    return [(role, gettext(role.label)) for role in Role]


class ChangeForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        help_text=_("Vor- und Nachname, wie sie im Verlauf der Vorgänge stehen."),
        max_length=200,
        error_messages={"required": _("Geben Sie den Namen an.")},
    )
    role = forms.ChoiceField(
        label=_("Aufgabe"),
        choices=_roles,
        help_text=_(
            "Lesezugriff: Vorgänge ansehen. Sachbearbeitung: auch Ersuchen stellen und bearbeiten. "
            "Fachadministration: auch Zugänge verwalten."
        ),
        widget=forms.RadioSelect,
        error_messages={"required": _("Bitte wählen Sie aus.")},
    )


class CreateForm(ChangeForm):
    login = forms.CharField(
        label=_("Benutzername"),
        max_length=60,
        help_text=_("Kleinbuchstaben, Ziffern, Punkt und Bindestrich."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Geben Sie einen Benutzernamen an.")},
    )
    field_order = ("login", "name", "role")

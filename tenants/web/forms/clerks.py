"""Accounts: who may sign in, and as what."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.clerks.roles import Role


def _roles() -> list[tuple[str, str]]:
    return [(role, gettext(role.label)) for role in Role]


class ChangeForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=200)
    role = forms.ChoiceField(
        label=_("Aufgabe"),
        choices=_roles,
        help_text=_("Jede Aufgabe schließt die davor ein."),
        widget=forms.RadioSelect,
    )


class CreateForm(ChangeForm):
    login = forms.CharField(
        label=_("Benutzername"),
        max_length=60,
        help_text=_("Kleinbuchstaben, Ziffern, Punkt und Bindestrich."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ("login", "name", "role")

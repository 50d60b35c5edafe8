"""What people type to come in, and to change their password."""

from django import forms
from django.utils.translation import gettext_lazy as _


class SignInForm(forms.Form):
    login = forms.CharField(
        label=_("Benutzername"),
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
        error_messages={"required": _("Geben Sie Ihren Benutzernamen ein.")},
    )
    password = forms.CharField(
        label=_("Kennwort"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Geben Sie Ihr Kennwort ein.")},
    )


class PasswordForm(forms.Form):
    old = forms.CharField(
        label=_("Bisheriges Kennwort"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Geben Sie Ihr bisheriges Kennwort ein.")},
    )
    new = forms.CharField(
        label=_("Neues Kennwort"),
        help_text=_(
            "Mindestens 12 Zeichen. Am besten mehrere Wörter, die nichts miteinander zu tun haben."
        ),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Geben Sie ein neues Kennwort ein.")},
    )
    again = forms.CharField(
        label=_("Neues Kennwort wiederholen"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Geben Sie das neue Kennwort noch einmal ein.")},
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if "new" in self.cleaned_data and again != self.cleaned_data["new"]:
            raise forms.ValidationError(
                _("Die Wiederholung stimmt nicht mit dem neuen Kennwort überein.")
            )
        return again

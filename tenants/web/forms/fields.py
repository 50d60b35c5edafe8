"""Fields for what clerks type: sums and days the German way, codes with their words."""

from collections.abc import Iterator
from datetime import date
from html import escape
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.cases.codes import Codes
from tenants.cases.days import TYPED, NotDay, parse_day
from tenants.cases.money import NotMoney, euros, parse_euro
from tenants.cases.words import Unreadable
from tenants.web.phrases import say

_CHOOSE = gettext_lazy("Bitte wählen")


class Words(forms.CharField):
    """One line of text."""

    def __init__(
        self, label: Any, *, hint: Any = "", required: bool = False, **attributes: Any
    ) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=required,
            max_length=500,
            widget=forms.TextInput(attrs=attributes),
            error_messages={"required": gettext_lazy("Füllen Sie dieses Feld aus.")},
        )


class Text(forms.CharField):
    """Several lines of text."""

    def __init__(
        self, label: Any, *, hint: Any = "", rows: int = 3, required: bool = False
    ) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=required,
            max_length=4000,
            widget=forms.Textarea(attrs={"rows": rows}),
            error_messages={"required": gettext_lazy("Schreiben Sie hier einen Text.")},
        )


class Day(forms.DateField):
    """A day, typed as 1.3.2026 or 01032026."""

    def __init__(self, label: Any, *, hint: Any = "", required: bool = False) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=required,
            widget=forms.DateInput(
                format="%d.%m.%Y",
                attrs={
                    "placeholder": gettext_lazy("TT.MM.JJJJ"),
                    "autocomplete": "off",
                    "class": "amt-day",
                },
            ),
        )

    def to_python(self, value: Any) -> date | None:
        if value in self.empty_values or isinstance(value, date):
            return value or None
        try:
            return parse_day(str(value).strip(), TYPED)
        except NotDay as problem:
            raise _refused(problem) from problem

    def prepare_value(self, value: Any) -> Any:
        return date_format(value, "d.m.Y") if isinstance(value, date) else value


class Money(forms.CharField):
    """A sum of euros; its value is cents."""

    def __init__(self, label: Any, *, hint: Any = "", required: bool = False) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=required,
            max_length=20,
            widget=forms.TextInput(
                attrs={"inputmode": "decimal", "autocomplete": "off", "class": "amt-money"}
            ),
            error_messages={"required": gettext_lazy("Geben Sie einen Betrag an.")},
        )

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_euro(text)
        except NotMoney as problem:
            raise _refused(problem) from problem

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        return f"{euros(value):,.2f}".translate(str.maketrans(",.", ".,"))


class Number(forms.IntegerField):
    """A small whole number; left empty, the initial one."""

    def __init__(self, label: Any, *, hint: Any = "", initial: int | None = None) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=False,
            initial=initial,
            min_value=1,
            max_value=999,
            widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "amt-short"}),
        )

    def clean(self, value: Any) -> int | None:
        number: int | None = super().clean(value)
        return self.initial if number is None else number


class Code(forms.ChoiceField):
    """One word of a code list."""

    def __init__(
        self,
        label: Any,
        codes: Codes,
        *,
        hint: Any = "",
        empty: Any = _CHOOSE,
        required: bool = False,
    ) -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=required,
            choices=lambda: _choices(codes, empty),
            error_messages={"required": gettext_lazy("Bitte wählen Sie aus.")},
        )


class SeveralCodes(forms.MultipleChoiceField):
    """Any number of words of a code list; its value is a tuple."""

    def __init__(self, label: Any, codes: Codes, *, hint: Any = "") -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=False,
            choices=lambda: _choices(codes, None),
            widget=forms.CheckboxSelectMultiple,
        )

    def clean(self, value: Any) -> tuple[str, ...]:
        return tuple(super().clean(value))


class Tick(forms.BooleanField):
    """Yes or no, where no is said by leaving it."""

    def __init__(self, label: Any, *, hint: Any = "") -> None:
        super().__init__(label=label, help_text=hint, required=False)


class YesNo(forms.TypedChoiceField):
    """Yes or no, where saying nothing is neither."""

    def __init__(self, label: Any, *, hint: Any = "") -> None:
        super().__init__(
            label=label,
            help_text=hint,
            required=False,
            choices=lambda: [("no", _("Nein")), ("yes", _("Ja"))],
            coerce=lambda value: value == "yes",
            empty_value=None,
            widget=forms.RadioSelect,
        )

    def prepare_value(self, value: Any) -> Any:
        return {True: "yes", False: "no"}.get(value, value) if value is not None else None


def _refused(problem: Unreadable) -> forms.ValidationError:
    return forms.ValidationError(f"{say(problem.text)} {say(problem.hint)}")


def _choices(codes: Codes, empty: Any) -> Iterator[tuple[str, str]]:
    if empty is not None:
        yield "", str(empty)
    for code, words in codes.items():
        yield code, _(words)


class PlainSelect(forms.Select):
    """A select whose options are written at once.

    Django's own renders a template for each: 300 authorities took longer than the rest of a page.
    """

    def render(
        self,
        name: str,
        value: Any,
        attrs: Any = None,
        renderer: Any = None,  # noqa: ARG002 -- Django names it
    ) -> SafeString:
        chosen = set(self.format_value(value))
        options = "\n".join(
            f'<option value="{escape(str(key))}"{" selected" if str(key) in chosen else ""}>'
            f"{escape(str(words))}</option>"
            for key, words in self.choices
        )
        attributes = flatatt(self.build_attrs(self.attrs, attrs))
        safe = f'<select name="{escape(name)}"{attributes}>\n{options}\n</select>'
        return mark_safe(safe)  # noqa: S308 -- every part was escaped

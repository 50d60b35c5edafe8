"""How values look on the pages."""

from decimal import Decimal
from typing import Any

from django import forms, template
from django.forms import BoundField
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

register = template.Library()

_TONES = {"info", "success", "warning", "danger"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one of KERN's icons, for the eye only: the words stand beside it."""
    return format_html('<span class="kern-icon kern-icon--{}" aria-hidden="true"></span>', name)


@register.simple_tag
def badge(tone: str, text: str) -> SafeString:
    """Return a small label; `tone` is one of KERN's four, anything else has no colour."""
    if tone not in _TONES:
        return format_html(
            '<span class="kern-badge kern-badge--small kern-badge--plain">'
            '<span class="kern-label">{}</span></span>',
            text,
        )
    return format_html(
        '<span class="kern-badge kern-badge--small kern-badge--{}">{}'
        '<span class="kern-label">{}</span></span>',
        tone,
        icon(tone),
        text,
    )


@register.filter
def euros(amount: Decimal | None) -> str:
    """Return an amount as people write it: 1.234,56 €."""
    if amount is None:
        return ""
    number = formats.number_format(amount, decimal_pos=2, use_l10n=True, force_grouping=True)
    return f"{number} €"


@register.filter
def size(octets: int) -> str:
    """Return a size in KB or MB, rounded up: no file is 0 KB."""
    if octets < 1_000_000:
        return f"{-(-octets // 1000)} KB"
    return f"{formats.number_format(octets / 1_000_000, decimal_pos=1)} MB"


@register.filter
def control(field: BoundField) -> SafeString:
    """Return the input of a field with KERN's classes; Django ties hint and errors to it."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxInput | forms.CheckboxSelectMultiple):
        return field.as_widget()
    base = "kern-form-input__select" if isinstance(widget, forms.Select) else "kern-form-input__input"
    names = f"{base} {base}--error" if field.errors else base
    return field.as_widget(attrs={"class": f"{names} {widget.attrs.get('class', '')}".strip()})


@register.filter
def kind(field: BoundField) -> str:
    """Say how a field is laid out."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "choices"
    if isinstance(widget, forms.CheckboxInput):
        return "tick"
    return "select" if isinstance(widget, forms.Select) else "input"


@register.filter
def target(field: BoundField) -> str:
    """Return where a link in the list of errors leads: the input, or the first of a group."""
    return f"{field.auto_id}_0" if kind(field) == "choices" else str(field.auto_id)


@register.filter
def yes_no(value: Any) -> str:
    return str(_("ja") if value else _("nein"))

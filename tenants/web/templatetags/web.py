"""How values look on the pages."""

from datetime import date, datetime
from typing import Any, Protocol

from django import forms, template
from django.forms import BoundField
from django.utils import formats, timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from centre.kernel import clock
from tenants.cases.graph import Side, State
from tenants.cases.money import euros
from tenants.cases.selectors import Row
from tenants.web import guide, phrases

register = template.Library()

_FILE_KINDS = {
    "application/pdf": "PDF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "text/plain": "Text",
}
_MEGABYTE = 1_000_000
_TONES = {"info", "success", "warning", "danger"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one of KERN's icons, for the eye only: the words stand beside it."""
    return format_html('<span class="kern-icon kern-icon--{}" aria-hidden="true"></span>', name)


@register.simple_tag
def badge(tone: str, text: str) -> SafeString:
    """Return a small label; `tone` is one of KERN's four, anything else has no colour."""
    text = _(text)
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
def stated(value: Any, otherwise: str = "") -> SafeString:
    """Return a value, or where there is none a dash, which is read aloud in words."""
    if value not in {None, ""}:
        return conditional_escape(value)
    return format_html(
        '<span aria-hidden="true">–</span><span class="kern-sr-only">{}</span>',
        otherwise or _("keine Angabe"),
    )


@register.filter
def cents(amount: int | None) -> str:
    """Return cents as people write sums: 1.234,56 €."""
    if amount is None:
        return ""
    number = formats.number_format(euros(amount), decimal_pos=2, use_l10n=True, force_grouping=True)
    return f"{number}\N{NO-BREAK SPACE}€"


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """Return how long ago something was, in days; today, the time."""
    if moment is None:
        return format_html("")
    here = timezone.localtime(moment)
    days = (clock.today() - here.date()).days
    if days <= 0:
        words = formats.time_format(here, "H:i")
    else:
        words = ngettext("%(days)s Tag", "%(days)s Tagen", days) % {"days": days}
    exact = formats.date_format(here, "d.m.Y H:i")
    return format_html('<time datetime="{}" title="{}">{}</time>', here.isoformat(), exact, words)


@register.filter
def moment(value: datetime | None) -> SafeString:
    """Return day and time."""
    if value is None:
        return format_html("")
    here = timezone.localtime(value)
    return format_html(
        '<time datetime="{}">{}</time>', here.isoformat(), formats.date_format(here, "d.m.Y, H:i")
    )


@register.filter
def day(value: date | datetime | None) -> str:
    """Return a day, or the day of a moment, as 01.03.2026."""
    here = timezone.localtime(value) if isinstance(value, datetime) else value
    return formats.date_format(here, "d.m.Y") if here else ""


@register.filter
def iban(number: str) -> str:
    """Return an account number in groups of four."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


@register.filter
def file_kind(media_type: str) -> str:
    """Return what people call a type of file."""
    return _FILE_KINDS.get(media_type, _("Datei"))


@register.filter
def size(octets: int) -> str:
    """Return a size in KB or MB, rounded up: no file is 0 KB."""
    if octets < _MEGABYTE:
        return f"{-(-octets // 1000)} KB"
    return f"{formats.number_format(octets / _MEGABYTE, decimal_pos=1)} MB"


@register.filter
def control(field: BoundField) -> SafeString:
    """Return the input of a field with KERN's classes; Django ties hint and errors to it."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxInput | forms.CheckboxSelectMultiple):
        return field.as_widget()
    base = (
        "kern-form-input__select" if isinstance(widget, forms.Select) else "kern-form-input__input"
    )
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


class _Placed(Protocol):
    """What stands somewhere in the life cycle: a row of a list, or a case."""

    side: Side
    state: State


@register.filter
def tone(case: _Placed) -> str:
    return guide.tone(case.state, case.side)


@register.filter
def next_step(row: Row) -> str:
    return str(guide.advice(row.state, row.side, alone=row.ends_alone).short)


@register.filter
def is_incoming(case: _Placed) -> bool:
    return case.side is Side.REQUESTED


register.filter("say", phrases.say)
register.filter("told", phrases.told)


@register.filter
def yes_no(value: Any) -> str:
    return _("ja") if value else _("nein")

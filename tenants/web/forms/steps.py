"""What a clerk types for each step of a case."""

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.cases import codes
from tenants.web.forms.fields import Code, Money, Text, Words


class NothingForm(forms.Form):
    """For a step that needs nothing but the decision."""


class AcceptForm(forms.Form):
    own_reference = Words(
        _("Unser Aktenzeichen"),
        hint=_("Unter diesem Zeichen führen Sie den Vorgang. Vorgeschlagen ist seine Nummer."),
        required=True,
    )
    note = Text(_("Mitteilung an die ersuchende Behörde"))


class RefuseForm(forms.Form):
    reason = Code(_("Grund der Ablehnung"), codes.REFUSAL_REASONS, required=True)
    text = Text(
        _("Begründung"),
        hint=_("Bei einem Formmangel: welche Angaben fehlen. Die ersuchende Behörde liest das."),
    )


class AskForm(forms.Form):
    topic = Code(_("Worum geht es?"), codes.QUERY_TOPICS, required=True)
    text = Text(_("Ihre Frage"), rows=5, required=True)


class AnswerForm(forms.Form):
    text = Text(_("Ihre Antwort"), rows=5, required=True)


class CompleteForm(forms.Form):
    result = Code(_("Ergebnis"), codes.COMPLETION_RESULTS, required=True)
    collected_cents = Money(
        _("Eingezogen (€)"), hint=_("0,00, wenn nichts eingezogen wurde."), required=True
    )
    costs_cents = Money(
        _("Eigene Kosten (€)"), hint=_("0,00, wenn keine entstanden sind."), required=True
    )
    text = Text(_("Bericht"), rows=5)


class WithdrawForm(forms.Form):
    reason = Code(_("Grund der Rücknahme"), codes.WITHDRAWAL_REASONS, required=True)
    text = Text(_("Erläuterung"))


class EndAloneForm(forms.Form):
    text = Text(
        _("Was wurde geklärt?"),
        hint=_(
            "Zum Beispiel: wer an die Stelle der Behörde getreten ist und was mit ihr geklärt ist."
        ),
        rows=5,
        required=True,
    )


class ConfirmWithdrawalForm(forms.Form):
    collected_cents = Money(
        _("Bis dahin eingezogen (€)"),
        hint=_("0,00, wenn nichts eingezogen wurde."),
        required=True,
    )
    costs_cents = Money(
        _("Eigene Kosten (€)"), hint=_("0,00, wenn keine entstanden sind."), required=True
    )
    text = Text(_("Mitteilung"), hint=_("Zum Beispiel: welche Maßnahmen aufgehoben wurden."))

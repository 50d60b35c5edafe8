"""What a clerk types for each step of a case."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.cases import codes, inputs
from tenants.cases.faults import Fault, Faults
from tenants.web.forms.fields import Code, Money, Text, Words
from tenants.web.phrases import say


def _nothing(**_said: object) -> Faults:
    return iter(())


class StepForm(forms.Form):
    """Tells what is wrong in one round: what cannot be read, and what makes no sense."""

    #: What cannot be, of what was read; a sum that could not be read is None.
    judge: Callable[..., Faults] = staticmethod(_nothing)
    #: What does not fit the demanded sum.
    doubts: Callable[..., Faults] = staticmethod(_nothing)

    def __init__(self, *args: Any, demanded_cents: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._demanded_cents = demanded_cents

    def clean(self) -> None:
        unread = {
            name: None if isinstance(field, Money) else "" for name, field in self.fields.items()
        }
        said = unread | self.cleaned_data
        doubts = self.doubts(**said, demanded_cents=self._demanded_cents)
        self.mark([*self.judge(**said), *doubts])

    def mark(self, faults: Iterable[Fault]) -> None:
        """Show faults at their fields; a field that could not be read has its own."""
        unreadable = set(self.errors)
        for fault in faults:
            at = fault.path if fault.path in self.fields else None
            if at not in unreadable:
                self.add_error(at, f"{say(fault.text)} {say(fault.hint)}".strip())


class NothingForm(StepForm):
    """For a step that needs nothing but the decision."""


class AcceptForm(StepForm):
    judge = staticmethod(inputs.acceptance)

    own_reference = Words(
        _("Unser Aktenzeichen"),
        hint=_("Unter diesem Zeichen führen Sie den Vorgang. Vorgeschlagen ist seine Nummer."),
        required=True,
    )
    note = Text(_("Mitteilung an die ersuchende Behörde"))


class RefuseForm(StepForm):
    judge = staticmethod(inputs.refusal)

    reason = Code(_("Grund der Ablehnung"), codes.REFUSAL_REASONS, required=True)
    text = Text(
        _("Begründung"),
        hint=_("Bei einem Formmangel: welche Angaben fehlen. Die ersuchende Behörde liest das."),
    )


class AskForm(StepForm):
    judge = staticmethod(inputs.query)

    topic = Code(_("Worum geht es?"), codes.QUERY_TOPICS, required=True)
    text = Text(_("Ihre Frage"), rows=5, required=True)


class AnswerForm(StepForm):
    judge = staticmethod(inputs.answer)

    text = Text(_("Ihre Antwort"), rows=5, required=True)


class CompleteForm(StepForm):
    judge = staticmethod(inputs.completion)
    doubts = staticmethod(inputs.completion_doubts)

    result = Code(_("Ergebnis"), codes.COMPLETION_RESULTS, required=True)
    collected_cents = Money(
        _("Eingezogen (€)"), hint=_("0,00, wenn nichts eingezogen wurde."), required=True
    )
    costs_cents = Money(
        _("Eigene Kosten (€)"), hint=_("0,00, wenn keine entstanden sind."), required=True
    )
    text = Text(_("Bericht"), rows=5)


class WithdrawForm(StepForm):
    judge = staticmethod(inputs.withdrawal)

    reason = Code(_("Grund der Rücknahme"), codes.WITHDRAWAL_REASONS, required=True)
    text = Text(_("Erläuterung"))


class EndAloneForm(StepForm):
    judge = staticmethod(inputs.end_alone)

    text = Text(
        _("Was wurde geklärt?"),
        hint=_(
            "Zum Beispiel: wer an die Stelle der Behörde getreten ist und was mit ihr geklärt ist."
        ),
        rows=5,
        required=True,
    )


class ConfirmWithdrawalForm(StepForm):
    judge = staticmethod(inputs.withdrawal_confirmation)
    doubts = staticmethod(inputs.withdrawal_doubts)

    collected_cents = Money(
        _("Bis dahin eingezogen (€)"),
        hint=_("0,00, wenn nichts eingezogen wurde."),
        required=True,
    )
    costs_cents = Money(
        _("Eigene Kosten (€)"), hint=_("0,00, wenn keine entstanden sind."), required=True
    )
    text = Text(_("Mitteilung"), hint=_("Zum Beispiel: welche Maßnahmen aufgehoben wurden."))

"""The steps of a case as pages: which form, which words, which service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tenants.cases import services
from tenants.cases.graph import Verb
from tenants.web.forms import steps as pages


@dataclass(frozen=True, kw_only=True)
class StepPage:
    """One step: its address, its form and its words."""

    verb: Verb
    slug: str
    #: On the button that leads to the page, and on the one that does it.
    button: Any
    title: Any
    lead: Any
    done: Any
    form: type[pages.StepForm]
    take: Callable[..., Any]
    may_attach: bool = False


_ALL: Final = (
    StepPage(
        verb=Verb.ACCEPT,
        slug="annehmen",
        button=_("Annehmen"),
        title=_("Ersuchen annehmen"),
        lead=_(
            "Damit übernehmen Sie die Vollstreckung. Die ersuchende Behörde wird benachrichtigt."
        ),
        done=_("Das Ersuchen ist angenommen."),
        form=pages.AcceptForm,
        take=services.accept,
    ),
    StepPage(
        verb=Verb.COMPLETE,
        slug="erledigen",
        button=_("Erledigung melden"),
        title=_("Erledigung melden"),
        lead=_("Melden Sie Ergebnis und Beträge. Danach ist der Vorgang bei Ihnen erledigt."),
        done=_("Die Erledigung ist gemeldet."),
        form=pages.CompleteForm,
        take=services.complete,
        may_attach=True,
    ),
    StepPage(
        verb=Verb.CONFIRM_WITHDRAWAL,
        slug="ruecknahme-bestaetigen",
        button=_("Rücknahme bestätigen"),
        title=_("Rücknahme bestätigen"),
        lead=_("Alle Maßnahmen sind aufgehoben. Nennen Sie, was bis dahin angefallen ist."),
        done=_("Die Rücknahme ist bestätigt."),
        form=pages.ConfirmWithdrawalForm,
        take=services.confirm_withdrawal,
    ),
    StepPage(
        verb=Verb.ANSWER,
        slug="antworten",
        button=_("Rückfrage beantworten"),
        title=_("Rückfrage beantworten"),
        lead=_("Die ersuchte Behörde arbeitet weiter, sobald Ihre Antwort dort ist."),
        done=_("Ihre Antwort ist unterwegs."),
        form=pages.AnswerForm,
        take=services.answer,
        may_attach=True,
    ),
    StepPage(
        verb=Verb.CLOSE,
        slug="abschliessen",
        button=_("Vorgang abschließen"),
        title=_("Vorgang abschließen"),
        lead=_("Danach ist in diesem Vorgang nichts mehr zu tun. Er bleibt lesbar."),
        done=_("Der Vorgang ist abgeschlossen."),
        form=pages.NothingForm,
        take=services.close,
    ),
    StepPage(
        verb=Verb.ASK,
        slug="rueckfragen",
        button=_("Rückfrage stellen"),
        title=_("Rückfrage stellen"),
        lead=_("Die ersuchende Behörde sieht Ihre Frage sofort in ihrer Arbeitsliste."),
        done=_("Ihre Rückfrage ist unterwegs."),
        form=pages.AskForm,
        take=services.ask,
        may_attach=True,
    ),
    StepPage(
        verb=Verb.REFUSE,
        slug="ablehnen",
        button=_("Ablehnen"),
        title=_("Ersuchen ablehnen"),
        lead=_(
            "Eine Ablehnung braucht einen Grund (§ 5 VwVfG) und ist endgültig. Fehlen nur Angaben, "
            "stellen Sie besser eine Rückfrage."
        ),
        done=_("Das Ersuchen ist abgelehnt."),
        form=pages.RefuseForm,
        take=services.refuse,
    ),
    StepPage(
        verb=Verb.WITHDRAW,
        slug="zuruecknehmen",
        button=_("Zurücknehmen"),
        title=_("Ersuchen zurücknehmen"),
        lead=_(
            "Die ersuchte Behörde stellt die Vollstreckung ein und hebt Maßnahmen auf. Das lässt "
            "sich nicht rückgängig machen; Sie können aber neu ersuchen."
        ),
        done=_("Die Rücknahme ist unterwegs."),
        form=pages.WithdrawForm,
        take=services.withdraw,
    ),
    StepPage(
        verb=Verb.RESUBMIT,
        slug="erneut-senden",
        button=_("Unverändert erneut senden"),
        title=_("Erneut senden"),
        lead=_("Das Ersuchen geht mit denselben Angaben an dieselbe Behörde."),
        done=_("Das Ersuchen ist erneut unterwegs."),
        form=pages.NothingForm,
        take=services.resubmit,
    ),
    StepPage(
        verb=Verb.GIVE_UP,
        slug="aufgeben",
        button=_("Aufgeben"),
        title=_("Elektronischen Versand aufgeben"),
        lead=_("Wählen Sie das, wenn Sie auf Papier ersuchen oder ganz verzichten."),
        done=_("Der elektronische Versand ist aufgegeben."),
        form=pages.NothingForm,
        take=services.give_up,
    ),
    *(
        StepPage(
            verb=verb,
            slug=slug,
            button=_("Ohne die andere Behörde abschließen"),
            title=_("Ohne die andere Behörde abschließen"),
            lead=lead,
            done=_("Der Vorgang ist abgeschlossen."),
            form=pages.EndAloneForm,
            take=services.end_alone,
        )
        for verb, slug, lead in (
            (
                Verb.END_REQUEST,
                "ersuchen-beenden",
                _(
                    "Die ersuchte Behörde erfährt davon nichts. Klären Sie vorher auf anderem "
                    "Weg, ob dort Maßnahmen laufen oder Geld eingegangen ist. Danach ist in diesem "
                    "Vorgang nichts mehr zu tun; die Nachfolgerin ersuchen Sie neu."
                ),
            ),
            (
                Verb.END_ASSISTANCE,
                "amtshilfe-beenden",
                _(
                    "Die ersuchende Behörde erfährt davon nichts. Klären Sie vorher auf anderem "
                    "Weg, wer den Anspruch jetzt verfolgt und wohin Eingezogenes geht. Danach ist "
                    "in diesem Vorgang nichts mehr zu tun."
                ),
            ),
        )
    ),
)

PAGES: Final[Mapping[Verb, StepPage]] = MappingProxyType({page.verb: page for page in _ALL})
BY_SLUG: Final[Mapping[str, StepPage]] = MappingProxyType({page.slug: page for page in _ALL})

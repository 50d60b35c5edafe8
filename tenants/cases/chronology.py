"""Days of a draft that cannot have come in this order. Pure. What is not stated proves nothing."""

from tenants.cases.drafts import Claim, RequestDraft, Title
from tenants.cases.faults import Fault, Faults
from tenants.cases.words import Words


def title(path: str, title: Title) -> Faults:
    """Yield what is wrong with the course of a title: issued, served, final."""
    served = title.served_on or title.issued_on
    if title.issued_on and title.served_on and title.served_on < title.issued_on:
        yield Fault(
            path=f"{path}.served_on",
            text="Der Titel wurde vor seinem Erlass zugestellt.",
            hint="Prüfen Sie beide Daten.",
        )
    if served and title.final_on and title.final_on < served:
        yield Fault(
            path=f"{path}.final_on",
            text="Der Titel war unanfechtbar, bevor er erlassen und zugestellt war.",
            hint="Prüfen Sie die Daten.",
        )


def claim(path: str, claim: Claim) -> Faults:
    """Yield what is wrong with the time for which is claimed."""
    if claim.period_from and claim.period_until and claim.period_until < claim.period_from:
        yield Fault(
            path=f"{path}.period_until",
            text="Der Zeitraum endet, bevor er beginnt.",
            hint="Prüfen Sie beide Daten.",
        )


def preconditions(draft: RequestDraft) -> Faults:
    """Yield what is wrong with the days of the reminder and of the confirmation.

    One reminder stands for all titles and claims: it is certainly wrong only before the first of
    them. A confirmation is about all of them.
    """
    issued = [title.issued_on for title in draft.titles if title.issued_on]
    due = [claim.due_on for claim in draft.claims if claim.due_on]
    reminded, confirmed = draft.reminder.reminded_on, draft.enforceability.confirmed_on
    if reminded and issued and reminded < min(issued):
        yield Fault(
            path="reminder.reminded_on",
            text=Words(
                "Die Mahnung (%(day)s) liegt vor dem Bescheid (%(issued)s).",
                day=f"{reminded:%d.%m.%Y}",
                issued=f"{min(issued):%d.%m.%Y}",
            ),
            hint="Prüfen Sie beide Daten.",
        )
    elif reminded and due and reminded < min(due):
        yield Fault(
            path="reminder.reminded_on",
            text=Words(
                "Die Mahnung (%(day)s) liegt vor der Fälligkeit (%(due)s).",
                day=f"{reminded:%d.%m.%Y}",
                due=f"{min(due):%d.%m.%Y}",
            ),
            hint="Wurde vorher nur an die Zahlung erinnert, so lassen Sie das Mahndatum leer und "
            "nennen das als Grund (§ 259 Satz 2 AO).",
        )
    if confirmed and issued and confirmed < max(issued):
        yield Fault(
            path="enforceability.confirmed_on",
            text=Words(
                "Die Vollstreckbarkeit wurde am %(day)s bestätigt, der Bescheid ist vom "
                "%(issued)s.",
                day=f"{confirmed:%d.%m.%Y}",
                issued=f"{max(issued):%d.%m.%Y}",
            ),
            hint="Prüfen Sie beide Daten.",
        )
    elif confirmed and due and confirmed < max(due):
        yield Fault(
            path="enforceability.confirmed_on",
            text=Words(
                "Die Vollstreckbarkeit wurde am %(day)s bestätigt, fällig ist erst seit %(due)s.",
                day=f"{confirmed:%d.%m.%Y}",
                due=f"{max(due):%d.%m.%Y}",
            ),
            hint="Vollstreckt wird erst nach der Fälligkeit (§ 254 AO); bestätigen Sie neu.",
        )

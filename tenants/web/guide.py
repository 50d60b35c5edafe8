"""What a case's state means for the person who looks at it, and what to do next."""

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tenants.cases.graph import Side, State

_TONES: Final = {
    State.DRAFT: "",
    State.SUBMITTED: "info",
    State.UNDELIVERABLE: "danger",
    State.DELIVERED: "info",
    State.WITHDRAWING: "warning",
    State.REFUSED: "danger",
    State.COMPLETED: "success",
    State.WITHDRAWN: "",
    State.GIVEN_UP: "",
    State.CLOSED: "",
}
_TONES_THERE: Final = {
    Side.REQUESTED: {
        State.REGISTERED: "warning",
        State.QUERIED: "info",
        State.ACCEPTED: "success",
        State.ACCEPTED_QUERIED: "info",
    },
    Side.REQUESTING: {
        State.REGISTERED: "info",
        State.QUERIED: "warning",
        State.ACCEPTED: "success",
        State.ACCEPTED_QUERIED: "warning",
        State.WITHDRAWING: "info",
    },
}


def tone(state: State, side: Side) -> str:
    """Return the colour of a state: yellow and red for what waits for this side."""
    return _TONES_THERE[side].get(state, _TONES.get(state, ""))


@dataclass(frozen=True)
class Advice:
    """The next step in a sentence, above everything else on the page."""

    title: Any
    text: Any
    #: In two words, for lists; empty where nothing is to be done.
    short: Any
    #: Nobody here has to do anything.
    is_waiting: bool = False


_REQUESTED: Final = {
    State.REGISTERED: Advice(
        _("Bitte entscheiden Sie über das Ersuchen"),
        _(
            "Prüfen Sie Zuständigkeit und Angaben. Fehlt etwas, stellen Sie eine Rückfrage. "
            "Die ersuchende Behörde verantwortet die Vollstreckbarkeit, Sie die Durchführung."
        ),
        _("entscheiden"),
    ),
    State.QUERIED: Advice(
        _("Die ersuchende Behörde ist am Zug"),
        _("Ihre Rückfrage ist gestellt. Sie können dennoch schon annehmen oder ablehnen."),
        _("Antwort abwarten"),
        is_waiting=True,
    ),
    State.ACCEPTED: Advice(
        _("Vollstrecken und danach die Erledigung melden"),
        _("Melden Sie das Ergebnis mit den eingezogenen Beträgen, sobald es feststeht."),
        _("Erledigung melden"),
    ),
    State.ACCEPTED_QUERIED: Advice(
        _("Die ersuchende Behörde ist am Zug"),
        _("Ihre Rückfrage ist gestellt. Ist die Sache erledigt, melden Sie es ohne die Antwort."),
        _("Antwort abwarten"),
        is_waiting=True,
    ),
    State.WITHDRAWING: Advice(
        _("Keine Maßnahme mehr: Das Ersuchen wurde zurückgenommen"),
        _(
            "Heben Sie laufende Maßnahmen auf, und bestätigen Sie die Rücknahme mit den Beträgen, "
            "die bis dahin angefallen sind."
        ),
        _("Rücknahme bestätigen"),
    ),
    State.REFUSED: Advice(
        _("Nichts zu tun"),
        _("Sie haben abgelehnt. Die ersuchende Behörde schließt den Vorgang ab."),
        "",
        is_waiting=True,
    ),
    State.COMPLETED: Advice(
        _("Nichts zu tun"),
        _("Die Erledigung ist gemeldet. Die ersuchende Behörde schließt den Vorgang ab."),
        "",
        is_waiting=True,
    ),
    State.WITHDRAWN: Advice(
        _("Nichts zu tun"),
        _("Die Rücknahme ist bestätigt. Die ersuchende Behörde schließt den Vorgang ab."),
        "",
        is_waiting=True,
    ),
    State.CLOSED: Advice(
        _("Abgeschlossen"),
        _("Der Vorgang bleibt lesbar und nachweisbar."),
        "",
        is_waiting=True,
    ),
}
_REQUESTING: Final = {
    State.DRAFT: Advice(
        _("Angaben vervollständigen und übermitteln"),
        _("Der Entwurf ist nur in Ihrer Kommune sichtbar. Vor dem Übermitteln wird alles geprüft."),
        _("vervollständigen"),
    ),
    State.SUBMITTED: Advice(
        _("Nichts zu tun: Die Zustellung läuft"),
        _("Das Ersuchen ist unterwegs. Unter „Zustellung“ steht, woran es gerade liegt."),
        _("Zustellung abwarten"),
        is_waiting=True,
    ),
    State.UNDELIVERABLE: Advice(
        _("Das Ersuchen konnte nicht zugestellt werden"),
        _(
            "Der Grund steht unter „Zustellung“. Berichtigen Sie die ersuchte Behörde und "
            "übermitteln Sie erneut, oder geben Sie auf und gehen Sie den Weg auf Papier."
        ),
        _("berichtigen"),
    ),
    State.DELIVERED: Advice(
        _("Die ersuchte Behörde ist am Zug"),
        _("Zugestellt und quittiert. Die Bestätigung des Eingangs folgt von selbst."),
        _("Eingang abwarten"),
        is_waiting=True,
    ),
    State.REGISTERED: Advice(
        _("Die ersuchte Behörde ist am Zug"),
        _("Das Ersuchen steht dort in der Arbeitsliste und wird geprüft."),
        _("Entscheidung abwarten"),
        is_waiting=True,
    ),
    State.QUERIED: Advice(
        _("Bitte beantworten Sie die Rückfrage"),
        _("Die ersuchte Behörde wartet auf Ihre Antwort; solange steht die Bearbeitung."),
        _("beantworten"),
    ),
    State.ACCEPTED: Advice(
        _("Die ersuchte Behörde ist am Zug"),
        _(
            "Das Ersuchen ist angenommen. Nehmen Sie es sofort zurück, wenn der Schuldner bei "
            "Ihnen zahlt oder die Forderung wegfällt."
        ),
        _("Erledigung abwarten"),
        is_waiting=True,
    ),
    State.ACCEPTED_QUERIED: Advice(
        _("Bitte beantworten Sie die Rückfrage"),
        _("Das Ersuchen ist angenommen; die ersuchte Behörde braucht noch eine Auskunft."),
        _("beantworten"),
    ),
    State.WITHDRAWING: Advice(
        _("Die ersuchte Behörde ist am Zug"),
        _("Die Rücknahme ist unterwegs. Die ersuchte Behörde hebt Maßnahmen auf und bestätigt."),
        _("Bestätigung abwarten"),
        is_waiting=True,
    ),
    State.REFUSED: Advice(
        _("Ablehnung prüfen und abschließen"),
        _("Der Grund steht im Verlauf. Schließen Sie ab, und stellen Sie wenn nötig neu."),
        _("abschließen"),
    ),
    State.COMPLETED: Advice(
        _("Ergebnis prüfen und abschließen"),
        _("Vergleichen Sie die gemeldeten Beträge mit Ihrer Buchhaltung, und schließen Sie ab."),
        _("abschließen"),
    ),
    State.WITHDRAWN: Advice(
        _("Rücknahme ist vollzogen: abschließen"),
        _("Prüfen Sie die bis dahin angefallenen Beträge, und schließen Sie ab."),
        _("abschließen"),
    ),
    State.GIVEN_UP: Advice(
        _("Aufgegeben"),
        _("Das Ersuchen wurde nicht elektronisch zugestellt."),
        "",
        is_waiting=True,
    ),
    State.CLOSED: Advice(
        _("Abgeschlossen"),
        _("Der Vorgang bleibt lesbar und nachweisbar."),
        "",
        is_waiting=True,
    ),
}
ADVICE: Final = {Side.REQUESTED: _REQUESTED, Side.REQUESTING: _REQUESTING}


_ALONE: Final = Advice(
    _("Ohne die andere Behörde abschließen"),
    _(
        "Warten hilft hier nicht mehr. Klären Sie auf anderem Weg, was dort noch liegt, und "
        "schließen Sie den Vorgang dann ab."
    ),
    _("abschließen"),
)


def advice(state: State, side: Side, *, alone: bool = False) -> Advice:
    """Return what to do next; `alone` where only this side can still end the case."""
    return _ALONE if alone else ADVICE[side][state]

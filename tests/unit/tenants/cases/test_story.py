"""A timeline in another language: the system's lines are said anew, what people wrote stays."""

import pytest

from tenants.cases import story
from tenants.cases.graph import Kind, Verb
from tenants.cases.words import Words


def shout(words: Words) -> str:
    """Say words as if upper case were another language; templates of values alone are in none."""
    return words.said(lambda text: text if text.startswith("%(") else text.upper())


@pytest.mark.parametrize(
    ("what", "text", "said"),
    [
        (Verb.REFUSE, "Kleinbetrag\nKleinbetrag", "KLEINBETRAG\nKleinbetrag"),
        (Kind.REFUSAL, "novelty\nNeue Liste", "novelty\nNeue Liste"),
        (Verb.ANSWER, "Titel", "Titel"),
        (Verb.ACCEPT, "V-1\nGern", "V-1\nGern"),
        (Kind.QUERY, "Titel\n\n100 % klar?", "TITEL\n\n100 % klar?"),
        (Kind.ASSISTANCE_REQUEST, "", ""),
        ("note", "Kaputt", "KAPUTT"),
    ],
)
def test_only_what_the_system_wrote_is_said_anew(what: str, text: str, said: str) -> None:
    told = story.text(what, text)
    assert told == text
    assert shout(told) == said


@pytest.mark.parametrize("what", [Verb.CONFIRM_WITHDRAWAL, Kind.WITHDRAWAL_CONFIRMATION])
def test_sums_are_the_systems_line(what: str) -> None:
    told = story.text(what, "Eingezogen: 1.234,56 €, Kosten: 0,00 €\nEingezogen!")
    german, english = "Eingezogen: %(collected)s, Kosten: %(costs)s", "In %(collected)s/%(costs)s"
    assert told.said(lambda text: english if text == german else text) == (
        "In 1.234,56 €/0,00 €\nEingezogen!"
    )


def test_overtaken_message_is_labelled_in_two_parts() -> None:
    told = story.label(Kind.QUERY, "Rückfrage eingegangen (überholt, ändert den Stand nicht)")
    assert told.template == "%(label)s (überholt, ändert den Stand nicht)"
    assert shout(told).startswith("RÜCKFRAGE EINGEGANGEN")
    assert story.label(Verb.ASK, "Rückfrage stellen") == "Rückfrage gestellt"

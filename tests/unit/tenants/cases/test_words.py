"""Sentences that can be said in another language."""

import json

from tenants.cases.words import Words

ENGLISH = {
    "Es fehlt %(what)s.": "Missing: %(what)s.",
    "der Ort": "the town",
    "100 % sind nicht möglich.": "100 % is not possible.",
}


def english(german: str) -> str:
    return ENGLISH.get(german, german)


def test_words_are_their_german_text() -> None:
    words = Words("Es fehlt %(what)s.", what=Words("der Ort"))
    assert words == "Es fehlt der Ort."
    assert f"{words} {words.upper()}" == "Es fehlt der Ort. ES FEHLT DER ORT."


def test_words_and_the_words_in_them_are_translated() -> None:
    words = Words("Es fehlt %(what)s.", what=Words("der Ort"))
    assert words.said(english) == "Missing: the town."


def test_what_people_typed_is_never_translated() -> None:
    assert Words("Es fehlt %(what)s.", what="der Ort").said(english) == "Missing: der Ort."


def test_a_sentence_without_values_may_have_a_percent_sign() -> None:
    assert Words("100 % sind nicht möglich.").said(english) == "100 % is not possible."
    assert Words("").said(english) == ""


def test_words_survive_json() -> None:
    words = Words("Es fehlt %(what)s.", what=Words("der Ort"))
    again = Words.of(json.loads(json.dumps(words.kept())))
    assert again == words
    assert again.said(english) == "Missing: the town."

"""What fields make of what people type, and that a plain select says what Django's own says."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.forms import Field, Select

from tenants.web.forms.fields import Day, Money, PlainSelect

CHOICES = [("", "alle"), (1, "Ämter & <Söhne>"), ("b", "Bünde")]


@pytest.mark.parametrize("value", [None, "", "b", 1, "nowhere"])
def test_plain_select_is_the_same_select(value: Any) -> None:
    given = {"id": "filter-a", "required": True, "disabled": False}
    plain = Select(choices=CHOICES).render("behoerde", value, given)
    quick = PlainSelect(choices=CHOICES).render("behoerde", value, given)
    assert quick.split() == plain.split()


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        (Day("Tag"), "31.02.2026", "Den Tag „31.02.2026“ gibt es nicht. Prüfen Sie"),
        (Day("Tag"), "bald", "„bald“ ist kein Tag. Schreiben Sie den Tag als TT.MM.JJJJ"),
        (Money("Betrag"), "1.200", "„1.200“ kann 1.200,00 € oder 1,20 € heißen. Schreiben Sie"),
        (Money("Betrag"), "viel", "„viel“ ist kein Betrag. Schreiben Sie"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_is_expected(
    field: Field, typed: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        field.clean(typed)
    assert refused.value.messages[0].startswith(words)

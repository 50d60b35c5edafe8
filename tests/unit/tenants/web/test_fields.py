"""A plain select says what Django's own says."""

from typing import Any

import pytest
from django.forms import Select

from tenants.web.forms.fields import PlainSelect

CHOICES = [("", "alle"), (1, "Ämter & <Söhne>"), ("b", "Bünde")]


@pytest.mark.parametrize("value", [None, "", "b", 1, "nowhere"])
def test_plain_select_is_the_same_select(value: Any) -> None:
    given = {"id": "filter-a", "required": True, "disabled": False}
    plain = Select(choices=CHOICES).render("behoerde", value, given)
    quick = PlainSelect(choices=CHOICES).render("behoerde", value, given)
    assert quick.split() == plain.split()

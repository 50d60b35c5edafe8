"""The centre's own host name."""

import pytest
from django.test import Client

from centre.registry.models import Municipality

CENTRE = {"host": "krz.localhost:8410"}


def test_centre_leads_to_its_municipalities(
    alpha: Municipality, beta: Municipality, gamma: Municipality
) -> None:
    client = Client(headers=CENTRE)
    assert client.get("/")["Location"] == "/kommunen/"
    page = client.get("/kommunen/").text
    assert 'href="http://alpha.krz.localhost:8410/"' in page
    assert "Gammatal" in page


def test_many_municipalities_come_in_pages_and_are_searched(
    alpha: Municipality,
    beta: Municipality,
    gamma: Municipality,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tenants.web.views.centre.PAGE_SIZE", 2)
    client = Client(headers=CENTRE)
    first = client.get("/kommunen/").text
    assert (first.count("<li>"), "Gammatal" in first) == (2, False)
    assert 'href="?suche=&amp;seite=2"' in first
    second = client.get("/kommunen/?seite=2").text
    assert (second.count("<li>"), "Gammatal" in second) == (1, True)
    found = client.get("/kommunen/?suche=gamma").text
    assert (found.count("<li>"), "Gammatal" in found) == (1, True)
    none = client.get("/kommunen/?suche=%00nirgends").text
    assert "Keine Kommune passt dazu" in none


def test_other_addresses_of_the_centre_say_where_to_go(alpha: Municipality) -> None:
    answer = Client(headers=CENTRE).get("/konto/")
    assert answer.status_code == 404
    assert "unter ihrem eigenen Namen" in answer.text
    assert "Content-Security-Policy" in answer.headers

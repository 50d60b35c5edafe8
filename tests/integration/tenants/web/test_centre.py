"""The centre's own host name."""

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


def test_other_addresses_of_the_centre_say_where_to_go(alpha: Municipality) -> None:
    answer = Client(headers=CENTRE).get("/konto/")
    assert answer.status_code == 404
    assert "unter ihrem eigenen Namen" in answer.text
    assert "Content-Security-Policy" in answer.headers

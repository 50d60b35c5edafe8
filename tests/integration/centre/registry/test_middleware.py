"""From a host name to a municipality, or to a page that explains."""

import pytest
from django.test import Client
from pytest_django import Settings

from centre.registry.models import Municipality, MunicipalityState
from centre.tenancy.context import current_tenant
from tests.integration.centre.registry import host_urls


@pytest.fixture
def client(settings: Settings) -> Client:
    settings.MIDDLEWARE = ["centre.registry.middleware.municipality_middleware"]
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = host_urls.__name__
    return Client()


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("alpha.krz.localhost", "alpha"),
        ("ALPHA.krz.localhost", "alpha"),
        ("beta.krz.localhost:8000", "beta"),
        ("beta.krz.localhost.", "beta"),
        ("krz.localhost", "centre"),
        ("krz.localhost:8000", "centre"),
    ],
)
def test_host_leads_to_its_place(db: None, client: Client, host: str, place: str) -> None:
    response = client.get("/", headers={"host": host})
    assert response.content.decode() == place
    assert current_tenant() is None


@pytest.mark.parametrize("host", ["omega.krz.localhost", "alpha.example.org", "[::1]", "localhost"])
def test_unknown_host_is_explained(db: None, client: Client, host: str) -> None:
    response = client.get("/", headers={"host": host})
    assert response.status_code == 404
    assert "keine Kommune eingerichtet" in response.content.decode()
    assert response.headers["Cache-Control"] == "no-store"


def test_odd_host_is_refused(db: None, client: Client) -> None:
    response = client.get("/", headers={"host": "<script>.krz.localhost"})
    assert response.status_code in {400, 404}
    assert b"<script>" not in response.content


@pytest.mark.process("owner")
@pytest.mark.parametrize(
    ("state", "status"),
    [
        (MunicipalityState.SUSPENDED, 503),
        (MunicipalityState.FOUNDING, 503),
        (MunicipalityState.DELETING, 503),
        (MunicipalityState.DELETED, 404),
    ],
)
def test_closed_municipality_is_explained(
    db: None, client: Client, alpha: Municipality, state: MunicipalityState, status: int
) -> None:
    Municipality.objects.filter(pk=alpha.pk).update(state=state)
    response = client.get("/", headers={"host": "alpha.krz.localhost"})
    assert response.status_code == status
    assert response.content.decode().startswith("<!doctype html>")

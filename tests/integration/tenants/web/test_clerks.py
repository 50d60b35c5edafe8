"""The accounts of a municipality, for the one who keeps them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tenants.web.views import clerks
from tests.factories.clerks import clerk

Town = Any
Visit = Callable[..., Client]


@pytest.fixture
def keeper(visit: Visit, a: Town, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clerks, "PAGE_SIZE", 3)
    with a.scope():
        Clerk.objects.filter(pk=a.by.id).update(role=Role.ADMINISTRATOR)
    return visit(a)


def _names(page: Any) -> list[str]:
    return [each.name for each in page.context["page"].object_list]


def test_accounts_come_in_pages(keeper: Client, a: Town) -> None:
    with a.scope():
        for number in range(5):
            clerk(f"person{number}")
        everybody = list(
            Clerk.objects.order_by("-is_active", "name", "login").values_list("name", flat=True)
        )
    first = keeper.get("/zugaenge/")
    assert "Weitere anzeigen" in first.text
    assert "Zum Anfang" not in first.text
    second = keeper.get("/zugaenge/" + first.context["next_url"])
    assert _names(first) + _names(second) == everybody[:6]
    assert "Zum Anfang" in second.text
    for nonsense in ("0", "99", "x"):
        assert keeper.get(f"/zugaenge/?seite={nonsense}").status_code == 200


def test_accounts_are_found_by_name_or_login(keeper: Client, a: Town) -> None:
    with a.scope():
        for number in range(5):
            clerk(f"person{number}")
    found = keeper.get("/zugaenge/?suche=PERSON3")
    assert [each.login for each in found.context["page"].object_list] == ["person3"]
    assert "1 Zugang" in found.text
    many = keeper.get("/zugaenge/?suche=person")
    assert "suche=person" in many.context["next_url"]
    nobody = keeper.get("/zugaenge/?suche=Nixda%00")
    assert "Kein Zugang passt dazu" in nobody.text


def test_who_keeps_no_accounts_sees_none(visit: Visit, a: Town) -> None:
    assert visit(a).get("/zugaenge/").status_code == 403


def test_form_says_what_each_role_may_and_what_is_missing(keeper: Client) -> None:
    assert "Fachadministration: auch Zugänge verwalten." in keeper.get("/zugaenge/neu/").text
    refused = keeper.post("/zugaenge/neu/", {"login": ""}).context["form"].errors
    assert {name: list(found) for name, found in refused.items()} == {
        "login": ["Geben Sie einen Benutzernamen an."],
        "name": ["Geben Sie den Namen an."],
        "role": ["Bitte wählen Sie aus."],
    }


def test_password_form_says_which_one_is_missing(keeper: Client) -> None:
    refused = keeper.post("/konto/", {"old": ""}).context["form"].errors
    assert {name: list(found) for name, found in refused.items()} == {
        "old": ["Geben Sie Ihr bisheriges Kennwort ein."],
        "new": ["Geben Sie ein neues Kennwort ein."],
        "again": ["Geben Sie das neue Kennwort noch einmal ein."],
    }

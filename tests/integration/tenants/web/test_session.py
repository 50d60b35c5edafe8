"""Coming in and going out."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from centre.kernel import clock
from tenants.clerks.models import Clerk
from tests.factories.clerks import PASSWORD

Town = Any
Visit = Callable[..., Client]


def sign_in(client: Client, login: str = "k.kranich", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/anmelden/", {"login": login, "password": password, **more})


def test_sign_in_leads_to_worklist(anonymous: Visit, a: Town) -> None:
    client = anonymous(a)
    answer = sign_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert "Karla Kranich" in client.get("/").text


def test_sign_in_with_wrong_password_says_so_and_nothing_more(anonymous: Visit, a: Town) -> None:
    wrong = sign_in(anonymous(a), password="falsch")
    unknown = sign_in(anonymous(a), login="niemand", password="falsch")
    assert wrong.status_code == unknown.status_code == 401
    assert "Benutzername oder Kennwort ist falsch" in wrong.text
    assert "Benutzername oder Kennwort ist falsch" in unknown.text


def test_sign_in_is_locked_after_five_failures(anonymous: Visit, a: Town) -> None:
    client = anonymous(a)
    answers = [sign_in(client, password="falsch") for _each in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert "gesperrt" in answers[-1].text
    assert sign_in(client).status_code == 429


def test_clerk_of_one_town_cannot_sign_in_at_another(anonymous: Visit, a: Town, b: Town) -> None:
    with a.scope():
        Clerk.objects.filter(login="k.kranich").update(login="nur.alpha")
    assert sign_in(anonymous(b), login="nur.alpha").status_code == 401


def test_session_of_one_town_opens_nothing_at_another(visit: Visit, a: Town, b: Town) -> None:
    client = visit(a)
    answer = client.get("/", headers={"host": "beta.krz.localhost"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/anmelden/")


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/hilfe/", "/hilfe/"),
        ("https://boese.example/", "/"),
        ("//boese.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("hilfe", "/"),
        ("0", "/"),
    ],
)
def test_sign_in_leads_on_to_own_pages_only(
    anonymous: Visit, a: Town, wanted: str, led_to: str
) -> None:
    assert sign_in(anonymous(a), next=wanted)["Location"] == led_to


def test_page_without_session_leads_to_sign_in_and_back(anonymous: Visit, a: Town) -> None:
    answer = anonymous(a).get("/hilfe/")
    assert answer["Location"] == "/anmelden/?next=/hilfe/"


def test_session_ends_after_an_hour_without_a_page(anonymous: Visit, a: Town) -> None:
    client = anonymous(a)
    sign_in(client)
    with clock.frozen(clock.now() + timedelta(minutes=59)):
        assert client.get("/hilfe/").status_code == 200
    with clock.frozen(clock.now() + timedelta(minutes=59 + 61)):
        answer = client.get("/hilfe/")
        assert answer["Location"] == "/anmelden/?next=/hilfe/"
        assert "nach längerer Pause abgemeldet" in client.get(answer["Location"]).text


def test_session_ends_after_ten_hours_of_work(anonymous: Visit, a: Town) -> None:
    client = anonymous(a)
    start = clock.now()
    sign_in(client)
    for quarters in range(1, 40):
        with clock.frozen(start + timedelta(minutes=15 * quarters)):
            assert client.get("/hilfe/").status_code == 200
    with clock.frozen(start + timedelta(hours=10, minutes=1)):
        assert client.get("/hilfe/").status_code == 302


def test_sign_out_ends_the_session(visit: Visit, a: Town) -> None:
    client = visit(a)
    assert client.post("/abmelden/")["Location"] == "/anmelden/"
    assert client.get("/").status_code == 302


def test_given_password_must_be_replaced_first(anonymous: Visit, a: Town) -> None:
    with a.scope():
        Clerk.objects.update(must_change_password=True)
    client = anonymous(a)
    sign_in(client)
    assert client.get("/")["Location"] == "/konto/"
    new = "vier-Boote-am-Hafen"
    answer = client.post("/konto/", {"old": PASSWORD, "new": new, "again": new})
    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200


def test_password_page_ties_faults_to_fields(visit: Visit, a: Town) -> None:
    answer = visit(a).post("/konto/", {"old": PASSWORD, "new": "kurz", "again": "anders"})
    assert answer.status_code == 400
    assert 'aria-describedby="id_again_error"' in answer.text
    assert "Die Wiederholung stimmt nicht" in answer.text


def test_wrong_old_password_is_said_at_its_field(visit: Visit, a: Town) -> None:
    new = "vier-Boote-am-Hafen"
    answer = visit(a).post("/konto/", {"old": "falsch", "new": new, "again": new})
    assert answer.status_code == 400
    assert 'id="id_old_error"' in answer.text


def test_form_without_token_is_refused_in_words(visit: Visit, a: Town) -> None:
    answer = visit(a, csrf=True).post("/abmelden/")
    assert answer.status_code == 403
    assert "Das Formular ist abgelaufen" in answer.text


def test_cookies_and_headers_are_strict(anonymous: Visit, a: Town) -> None:
    client = anonymous(a)
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["domain"]
    answer = client.get("/hilfe/")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer["Cache-Control"]

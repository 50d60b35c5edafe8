import pytest
from django.utils import translation

from tenants.clerks import passwords
from tenants.clerks.roles import Role


@pytest.mark.parametrize(
    "password", ["vier-Pferde-am-See", "correct horse battery", "ä" * 3 + "bcdefghijk"]
)
def test_long_passwords_are_good(password: str) -> None:
    assert passwords.faults(password, login="meier", name="Anna Meier") == ()


@pytest.mark.parametrize(
    "password", ["kurz", "aaaaaaaaaaaaaa", "Passwort12345", "anna.meier123", "x" * 201]
)
def test_weak_passwords_are_refused_with_words(password: str) -> None:
    found = passwords.faults(password, login="meier", name="Anna Meier")
    assert found
    assert all(text.startswith("Das Kennwort") for text in found)


def test_refusals_speak_the_language_of_the_page() -> None:
    with translation.override("en"):
        found = passwords.faults("aaa", login="meier", name="Anna Meier")
    assert found[0] == "The password needs at least 12 characters."
    assert all(text.startswith("The password") for text in found)


def test_roles_include_each_other() -> None:
    assert Role.ADMINISTRATOR.includes(Role.READER)
    assert Role.CASEWORKER.includes(Role.CASEWORKER)
    assert not Role.READER.includes(Role.CASEWORKER)

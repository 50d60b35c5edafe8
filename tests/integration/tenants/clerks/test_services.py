from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import system
from centre.registry.models import Municipality
from centre.registry.services import Administrator
from centre.tenancy.context import tenant_scope
from tenants.clerks import services
from tenants.clerks.errors import (
    ClerkNotAllowed,
    LastAdministrator,
    LoginInvalid,
    LoginTaken,
    PasswordRefused,
    Refusal,
    SignInRefused,
)
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role
from tests.factories.clerks import PASSWORD, clerk

BY = system("tests")


@pytest.fixture(autouse=True)
def _scope(alpha: Municipality) -> Iterator[None]:
    with tenant_scope(alpha):
        yield


def _events(subject: str) -> list[str]:
    return [entry.content["event"] for entry in audit.trail(subject=subject)]


def test_sign_in_is_told_in_the_trail() -> None:
    made = clerk()
    found = services.sign_in(login=" K.Kranich ", password=PASSWORD, address="192.0.2.1")
    assert found.id == made.id
    services.sign_out(clerk=found)
    assert sorted(_events("k.kranich")) == sorted(
        [AuditEvent.CLERK_SESSION_OPENED, AuditEvent.CLERK_SESSION_CLOSED]
    )


def test_sign_in_that_is_refused_is_told_in_the_trail() -> None:
    clerk()
    for _ in range(2):
        with pytest.raises(SignInRefused):
            services.sign_in(login="k.kranich", password="falsch", address="192.0.2.1")
    told = [entry.content for entry in audit.trail(subject="k.kranich")]
    assert [each["event"] for each in told] == [AuditEvent.CLERK_SESSION_REFUSED] * 2
    assert sorted(each["detail"]["failures"] for each in told) == ["1", "2"]
    assert {each["detail"]["address"] for each in told} == {"192.0.2.1"}


def test_unknown_closed_and_wrong_look_alike() -> None:
    clerk()
    closed = clerk("z.zander", role=Role.READER)
    services.close_account(clerk_id=_administrator_and(closed).id, by=BY)
    words = set()
    for login, password in (("niemand", PASSWORD), ("k.kranich", "falsch"), ("z.zander", PASSWORD)):
        with pytest.raises(SignInRefused) as refused:
            services.sign_in(login=login, password=password)
        words.add((refused.value.message, refused.value.reason, refused.value.until))
    assert len(words) == 1


def test_what_is_done_to_an_account_is_told_in_the_trail() -> None:
    clerk("chefin", role=Role.ADMINISTRATOR)
    made = services.create_clerk(
        login="z.zander", name="Zoe Zander", role=Role.READER, password=PASSWORD, by=BY
    )
    services.change_clerk(clerk_id=made.id, name="Zoe Z.", role=Role.CASEWORKER, by=BY)
    services.reset_password(clerk_id=made.id, password=PASSWORD, by=BY)
    services.close_account(clerk_id=made.id, by=BY)
    services.reopen_account(clerk_id=made.id, by=BY)
    told = list(audit.trail(subject="z.zander"))
    assert [entry.content["event"] for entry in told] == [
        AuditEvent.CLERK_ACCOUNT_CREATED,
        AuditEvent.CLERK_ACCOUNT_CHANGED,
        AuditEvent.CLERK_ACCOUNT_CHANGED,
        AuditEvent.CLERK_ACCOUNT_CLOSED,
        AuditEvent.CLERK_ACCOUNT_CHANGED,
    ]
    assert [entry.content["detail"].get("changed") for entry in told] == [
        None, None, "password", None, "reopened"
    ]  # fmt: skip
    assert {entry.content["actor"]["name"] for entry in told} == {BY.name}


def _administrator_and(other: Clerk) -> Clerk:
    clerk("chefin", role=Role.ADMINISTRATOR)
    return other


def test_failures_lock_for_longer_each_time_and_success_forgets_them() -> None:
    clerk()
    start = clock.now()
    with clock.frozen(start):
        for _ in range(services.ATTEMPTS):
            with pytest.raises(SignInRefused) as refused:
                services.sign_in(login="k.kranich", password="falsch")
        assert refused.value.why is Refusal.LOCKED
        assert refused.value.until == start + services.FIRST_LOCK
        with pytest.raises(SignInRefused, match="vorübergehend gesperrt"):
            services.sign_in(login="k.kranich", password=PASSWORD)
    later = start + services.FIRST_LOCK + timedelta(seconds=1)
    with clock.frozen(later):
        for _ in range(services.ATTEMPTS):
            with pytest.raises(SignInRefused) as refused:
                services.sign_in(login="k.kranich", password="falsch")
        assert refused.value.until == later + 4 * services.FIRST_LOCK
    with clock.frozen(later + 5 * services.FIRST_LOCK):
        services.sign_in(login="k.kranich", password=PASSWORD)
        with pytest.raises(SignInRefused) as refused:
            services.sign_in(login="k.kranich", password="falsch")
        assert refused.value.why is Refusal.WRONG


def test_change_password_asks_for_the_old_and_for_a_good_new_one() -> None:
    made = clerk()
    with pytest.raises(SignInRefused):
        services.change_password(clerk=made, old="falsch", new="zwei-Hasen-im-Klee")
    with pytest.raises(PasswordRefused) as refused:
        services.change_password(clerk=made, old=PASSWORD, new="kurz")
    assert refused.value.faults
    services.change_password(clerk=made, old=PASSWORD, new="zwei-Hasen-im-Klee")
    assert services.sign_in(login="k.kranich", password="zwei-Hasen-im-Klee")


def test_only_administrators_open_accounts() -> None:
    worker = clerk()
    chief = clerk("chefin", role=Role.ADMINISTRATOR)
    with pytest.raises(ClerkNotAllowed):
        services.create_clerk(
            login="neu", name="Neu", role=Role.READER, password=PASSWORD, by=worker.actor
        )
    made = services.create_clerk(
        login="Neu", name="Nora Neuling", role=Role.READER, password=PASSWORD, by=chief.actor
    )
    assert (made.login, made.must_change_password) == ("neu", True)
    with pytest.raises(LoginTaken):
        services.create_clerk(
            login="neu", name="N", role=Role.READER, password=PASSWORD, by=chief.actor
        )
    with pytest.raises(LoginInvalid):
        services.create_clerk(
            login="ne u", name="N", role=Role.READER, password=PASSWORD, by=chief.actor
        )


def test_the_last_administrator_stays() -> None:
    chief = clerk("chefin", role=Role.ADMINISTRATOR)
    with pytest.raises(LastAdministrator):
        services.close_account(clerk_id=chief.id, by=chief.actor)
    with pytest.raises(LastAdministrator):
        services.change_clerk(clerk_id=chief.id, name="C", role=Role.READER, by=chief.actor)
    clerk("zweite", role=Role.ADMINISTRATOR)
    services.close_account(clerk_id=chief.id, by=chief.actor)
    services.reopen_account(clerk_id=chief.id, by=BY)
    services.reset_password(clerk_id=chief.id, password="vier-Gaense-im-Stall", by=BY)
    assert services.sign_in(login="chefin", password="vier-Gaense-im-Stall").must_change_password


@pytest.mark.parametrize(
    ("login", "password", "error"),
    [
        ("böse login<>", "drei-Boote-am-Kanal", LoginInvalid),
        ("leitung", "kurz", PasswordRefused),
    ],
)
def test_first_account_is_checked_before_anything_is_founded(
    login: str, password: str, error: type[Exception]
) -> None:
    assert "tenants.clerks.services.check_administrator" in settings.TENANT_CHECKS
    with pytest.raises(error):
        services.check_administrator(
            administrator=Administrator(login=login, name="L", password=password)
        )
    services.check_administrator(administrator=None)


def test_founding_may_be_repeated(alpha: Municipality) -> None:
    first = Administrator(login="leitung", name="Lena Leitung", password="drei-Boote-am-Kanal")
    for _ in range(2):
        services.found_administrator(municipality=alpha, administrator=first)
    services.found_administrator(municipality=alpha, administrator=None)
    assert Clerk.objects.get(login="leitung").may(Role.ADMINISTRATOR)

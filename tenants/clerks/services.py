"""Writes of accounts: signing in, and who may."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.kernel import clock
from centre.kernel.actors import Actor, ActorKind, system
from centre.registry.models import Municipality
from centre.registry.services import Administrator
from centre.tenancy.context import tenant_scope
from tenants.clerks import passwords, selectors
from tenants.clerks.errors import (
    ClerkNotAllowed,
    ClerkNotFound,
    LastAdministrator,
    LoginInvalid,
    LoginTaken,
    PasswordRefused,
    Refusal,
    SignInRefused,
)
from tenants.clerks.models import Clerk, FailedSignIns
from tenants.clerks.roles import Role

#: So many failures in a row lock a login, first for a minute, then for longer each time.
ATTEMPTS = 5
FIRST_LOCK, LONGEST_LOCK = timedelta(minutes=1), timedelta(hours=1)
#: Failures so long ago are forgotten.
FORGET_AFTER = timedelta(hours=24)

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")
_FOUNDER = system("registry")


# -- signing in -----------------------------------------------------------------------------


def sign_in(*, login: str, password: str, address: str = "") -> Clerk:
    """Return the clerk whose login and password these are, and note it in the trail.

    Raises `SignInRefused`, in the same words and after the same work whether the login exists or
    not. Failures are counted for each login in the database, so all web processes share them.
    """
    login = login.strip().lower()[:60]
    if until := _locked_until(login):
        raise SignInRefused(Refusal.LOCKED, until=until)
    clerk = Clerk.objects.filter(login=login, is_active=True).first()
    if clerk is None:
        make_password(password)  # as long as a comparison takes
    elif clerk.check_password(password):
        return _opened(clerk, address)
    raise _refused(login, address)


def sign_out(*, clerk: Clerk) -> None:
    """Note in the trail that a clerk left; the session itself is the door's."""
    with transaction.atomic():
        _tell(AuditEvent.CLERK_SESSION_CLOSED, clerk.actor, clerk.login)


def _locked_until(login: str) -> datetime | None:
    row = FailedSignIns.objects.filter(login=login, locked_until__gt=clock.now()).first()
    return row.locked_until if row else None


def _opened(clerk: Clerk, address: str) -> Clerk:
    with transaction.atomic():
        FailedSignIns.objects.filter(login=clerk.login).delete()
        Clerk.objects.filter(id=clerk.id).update(last_login=clock.now())
        _tell(AuditEvent.CLERK_SESSION_OPENED, clerk.actor, clerk.login, address=address)
    return clerk


def _refused(login: str, address: str) -> SignInRefused:
    now = clock.now()
    until = None
    with transaction.atomic():
        FailedSignIns.objects.filter(login=login, last_at__lt=now - FORGET_AFTER).delete()
        # One row even when many fail at once: the second waits for the first and counts on.
        row, created = FailedSignIns.objects.select_for_update().get_or_create(
            login=login, defaults={"count": 1, "last_at": now}
        )
        if not created:
            row.count, row.last_at = row.count + 1, now
        if row.count % ATTEMPTS == 0:
            locks = row.count // ATTEMPTS
            until = now + min(FIRST_LOCK * 4 ** min(locks - 1, 10), LONGEST_LOCK)
            row.locked_until = until
        row.save()
        actor = Actor(kind=ActorKind.SYSTEM, id="web", name="Anmeldung")
        failures = str(row.count)
        _tell(AuditEvent.CLERK_SESSION_REFUSED, actor, login, address=address, failures=failures)
    return SignInRefused(Refusal.LOCKED if until else Refusal.WRONG, until=until)


def change_password(*, clerk: Clerk, old: str, new: str) -> None:
    """Give a clerk a password of their own choice. Raises `SignInRefused`, `PasswordRefused`."""
    if until := _locked_until(clerk.login):
        raise SignInRefused(Refusal.LOCKED, until=until)
    if not clerk.check_password(old):
        raise _refused(clerk.login, "")
    faults = passwords.faults(new, login=clerk.login, name=clerk.name)
    if new == old:
        faults += (_("Das neue Kennwort ist das alte."),)
    if faults:
        raise PasswordRefused(faults)
    with transaction.atomic():
        clerk.set_password(new)
        clerk.must_change_password = False
        clerk.save(update_fields=["password", "must_change_password"])
        _tell(AuditEvent.CLERK_ACCOUNT_CHANGED, clerk.actor, clerk.login, changed="password")


# -- accounts -------------------------------------------------------------------------------


def create_clerk(
    *,
    login: str,
    name: str,
    role: Role,
    password: str,
    by: Actor,
    temporary: bool = True,
    password_hash: str = "",
) -> Clerk:
    """Open an account. A `temporary` password must be replaced at the first visit.

    Who opens many accounts may have worked out the `password_hash` (Django's) before.
    """
    _require_administrator(by)
    with transaction.atomic():
        clerk = _create(
            login=login,
            name=name,
            role=role,
            password=password,
            temporary=temporary,
            password_hash=password_hash,
        )
        _tell(AuditEvent.CLERK_ACCOUNT_CREATED, by, clerk.login, role=role)
    return clerk


def change_clerk(*, clerk_id: UUID, name: str, role: Role, by: Actor) -> Clerk:
    """Change a name or a role. Raises `LastAdministrator`."""
    _require_administrator(by)
    with transaction.atomic():
        clerk = _locked(clerk_id)
        if role != Role.ADMINISTRATOR:
            _keep_an_administrator(clerk)
        clerk.name, clerk.role = name.strip(), role
        clerk.save(update_fields=["name", "role"])
        _tell(AuditEvent.CLERK_ACCOUNT_CHANGED, by, clerk.login, role=role)
    return clerk


def reset_password(*, clerk_id: UUID, password: str, by: Actor) -> None:
    """Give a clerk a password for the next visit, and lift a lock."""
    _require_administrator(by)
    with transaction.atomic():
        clerk = _locked(clerk_id)
        _check_password(password, clerk.login, clerk.name)
        clerk.set_password(password)
        clerk.must_change_password = True
        clerk.save(update_fields=["password", "must_change_password"])
        FailedSignIns.objects.filter(login=clerk.login).delete()
        _tell(AuditEvent.CLERK_ACCOUNT_CHANGED, by, clerk.login, changed="password")


def close_account(*, clerk_id: UUID, by: Actor) -> None:
    """Let nobody sign in with this account; open sessions end too. Raises `LastAdministrator`."""
    _switch(clerk_id, by, active=False)


def reopen_account(*, clerk_id: UUID, by: Actor) -> None:
    """Open a closed account again."""
    _switch(clerk_id, by, active=True)


def check_administrator(*, administrator: Administrator | None) -> None:
    """Raise `LoginInvalid` or `PasswordRefused` for a first account that could not be opened."""
    if administrator is None:
        return
    login = administrator.login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise LoginInvalid
    _check_password(administrator.password, login, administrator.name.strip())


def found_administrator(*, municipality: Municipality, administrator: Administrator | None) -> None:
    """Open the first account of a municipality just created. May be repeated."""
    if administrator is None:
        return
    login = administrator.login.strip().lower()
    if Clerk.objects.filter(login=login).exists():
        return
    clerk = _create(
        login=login,
        name=administrator.name,
        role=Role.ADMINISTRATOR,
        password=administrator.password,
        temporary=administrator.temporary,
        password_hash=administrator.password_hash,
    )
    _tell(
        AuditEvent.CLERK_ACCOUNT_CREATED,
        _FOUNDER,
        clerk.login,
        role=Role.ADMINISTRATOR,
        municipality=municipality.slug,
    )


def _create(
    *, login: str, name: str, role: Role, password: str, temporary: bool, password_hash: str
) -> Clerk:
    login, name = login.strip().lower(), name.strip()
    if not _LOGIN.fullmatch(login):
        raise LoginInvalid
    _check_password(password, login, name)
    clerk = Clerk(login=login, name=name, role=role, must_change_password=temporary)
    clerk.password = password_hash or make_password(password)
    try:
        with transaction.atomic():
            clerk.save(force_insert=True)
    except IntegrityError as error:
        raise LoginTaken from error
    return clerk


def _check_password(password: str, login: str, name: str) -> None:
    if faults := passwords.faults(password, login=login, name=name):
        raise PasswordRefused(faults)


def clear_sessions(*, municipality: Municipality) -> int:
    """Delete the sessions of a municipality that have ended; return how many."""
    with tenant_scope(municipality), transaction.atomic():
        deleted, _ = Session.objects.filter(expire_date__lt=clock.now()).delete()
    return deleted


def _switch(clerk_id: UUID, by: Actor, *, active: bool) -> None:
    _require_administrator(by)
    with transaction.atomic():
        clerk = _locked(clerk_id)
        if not active:
            _keep_an_administrator(clerk)
        clerk.is_active = active
        clerk.save(update_fields=["is_active"])
        if active:
            _tell(AuditEvent.CLERK_ACCOUNT_CHANGED, by, clerk.login, changed="reopened")
        else:
            _tell(AuditEvent.CLERK_ACCOUNT_CLOSED, by, clerk.login)


def _locked(clerk_id: UUID) -> Clerk:
    clerk = Clerk.objects.select_for_update().filter(id=clerk_id).first()
    if clerk is None:
        raise ClerkNotFound
    return clerk


def _keep_an_administrator(clerk: Clerk) -> None:
    others = Clerk.objects.filter(role=Role.ADMINISTRATOR, is_active=True).exclude(id=clerk.id)
    # Locked, so that two administrators cannot close each other's accounts at the same moment.
    if not list(others.select_for_update().values_list("id", flat=True)):
        raise LastAdministrator


def _require_administrator(by: Actor) -> None:
    if by.kind == ActorKind.CLERK and selectors.role_of(by.id) != Role.ADMINISTRATOR:
        raise ClerkNotAllowed


def _tell(event: AuditEvent, by: Actor, subject: str, **detail: str) -> None:
    told = {key: value for key, value in detail.items() if value}
    audit.record(events=[Entry(event=event, by=by, subject=subject, detail=told)])

"""A directory that knows the towns of the test database with their real keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from centre.directory.interface import Directory
from centre.directory.records import AuthorityRecord, CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.keys import keystore
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.outbox import poke, quota, services


def record(municipality: Municipality, *, home: str, state: str = "active") -> AuthorityRecord:
    with tenant_scope(municipality):
        halves = keystore.authority_public_keys(municipality.tenant_role)
    return AuthorityRecord(
        id=municipality.authority_id,
        name=municipality.name,
        home_centre=home,
        state=state,
        keys=tuple(
            PublicKey(
                kid=half.kid,
                purpose=half.purpose,
                suite=half.suite,
                raw=half.raw,
                not_before=clock.now() - timedelta(days=1),
            )
            for half in halves
        ),
    )


@pytest.fixture
def owner(dsn: Callable[[str], str]) -> Callable[..., None]:
    """Return the function that runs a statement as the owner of the tables, and commits."""

    def do(statement: str, *parameters: Any) -> None:
        with psycopg.connect(dsn("owner")) as connection:
            connection.execute(statement, parameters)

    return do


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return the function that puts authorities into the directory that `post` reads."""

    def publish(*authorities: AuthorityRecord) -> None:
        snapshot = Snapshot(
            version=1,
            published_at=clock.now(),
            expires_at=clock.in_future(days=1),
            centres=(CentreRecord(id="krz", name="krz", endpoint=""),),
            authorities=authorities,
        )
        monkeypatch.setattr(services, "current", lambda: Directory(snapshot, digest="1"))

    return publish


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test count and poke as if it were the first."""
    monkeypatch.setattr(quota, "_allowances", {})
    monkeypatch.setattr(poke, "_limiter", poke._Limiter(poke.INTERVAL))


@pytest.fixture
def towns(alpha: Municipality, beta: Municipality, publish: Callable[..., None]) -> None:
    publish(record(alpha, home="krz"), record(beta, home="nord"))

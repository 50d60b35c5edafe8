"""Clerks in front of the pages, as Django's test client, in the towns of the cases' tests."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from centre.tenancy.context import tenant_scope
from tenants.cases import services
from tenants.cases.models import Case
from tenants.web import sessions
from tests.factories.requests import request
from tests.integration.tenants.cases.conftest import a, b, c, gone, known, post, suspended

__all__ = ["a", "b", "c", "gone", "known", "post", "suspended"]

type Town = Any


def host(town: Town) -> dict[str, str]:
    return {"host": f"{town.municipality.slug}.krz.localhost"}


@pytest.fixture
def anonymous() -> Callable[[Town], Client]:
    return lambda town: Client(headers=host(town))


@pytest.fixture
def visit() -> Callable[..., Client]:
    """Return the function that signs the clerk of a town in."""

    def visit(town: Town, *, csrf: bool = False) -> Client:
        client = Client(headers=host(town), enforce_csrf_checks=csrf)
        with tenant_scope(town.municipality):
            clerk = get_user_model().objects.get(pk=town.by.id)
            client.force_login(clerk)
            session = client.session
            fake = type("Request", (), {"session": session})()
            sessions.begin(fake)
            session.save()
        return client

    return visit


@pytest.fixture
def case_id(a: Town, b: Town, post: Any) -> UUID:
    """A request of alpha that lies at beta and waits for a decision."""
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    found: UUID = case.id
    return found


@pytest.fixture
def version() -> Callable[[Town, UUID], int]:
    def version(town: Town, case_id: UUID) -> int:
        with town.scope():
            found: int = Case.objects.get(id=case_id).version
        return found

    return version

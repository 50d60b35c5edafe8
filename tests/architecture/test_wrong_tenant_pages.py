"""Every page, tried with the wrong tenant. A new address is tried too, or this fails.

Three ways in: a clerk of beta asks for things of alpha; a clerk of alpha takes the session along to
beta's host; anybody asks the centre's own host for a municipality's page.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from centre.kernel import clock
from centre.registry.models import Municipality
from centre.tenancy.context import current_tenant, tenant_scope
from tenants.cases import services
from tenants.clerks.roles import Role
from tenants.documents.models import Document
from tenants.importers.models import ImportRun
from tests.factories import clerks
from tests.factories.requests import request

MARK = "Geheimnis-von-Alphastadt"


@dataclass(frozen=True)
class Page:
    """An address: its name, and its route with parameters in braces."""

    name: str
    route: str
    parameters: tuple[str, ...]

    def path(self, values: Mapping[str, object]) -> str:
        return "/" + self.route.format(**{name: values[name] for name in self.parameters})


def _pages(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[Page]:
    for pattern in resolver.url_patterns:
        converters = pattern.pattern.converters
        route = prefix + str(pattern.pattern)
        for name, converter in converters.items():
            kind = next(k for k, c in _CONVERTERS.items() if isinstance(converter, c))
            route = route.replace(f"<{kind}:{name}>", f"{{{name}}}")
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _pages(pattern, route, inner)
        elif isinstance(pattern, URLPattern):
            names = tuple(part.partition("}")[0] for part in route.split("{")[1:])
            yield Page(f"{namespace}{pattern.name}", route, names)


def _converters() -> dict[str, type]:
    from django.urls.converters import get_converters

    return {kind: type(converter) for kind, converter in get_converters().items()}


_CONVERTERS = _converters()
PAGES = list(_pages(get_resolver("centre.config.urls_tenant")))


@pytest.fixture
def of_alpha(alpha: Municipality) -> Mapping[str, object]:
    """A value of alpha for each parameter that an address may have."""
    with tenant_scope(alpha):
        mine: Any = clerks.clerk("a.alpha", name=MARK)
        case = services.create_draft(draft=request(to=None, note=MARK), by=mine.actor)
        document = Document.objects.create(
            case_id=case.id,
            name=f"{MARK}.pdf",
            media_type="application/pdf",
            size=1,
            sealed_size=1,
            digest=b"",
            key=b"",
            created_by=MARK,
            created_at=clock.now(),
        )
        run = ImportRun.objects.create(
            name=MARK, digest="", content=b"", actor_name=MARK, created_at=clock.now()
        )
    return {
        "clerk_id": mine.pk,
        "case_id": case.id,
        "document_id": document.id,
        "message_id": uuid4(),
        "run_id": run.id,
        "slug": "annehmen",
    }


@pytest.fixture
def client_of(db: None) -> Callable[[Municipality], Client]:
    def sign_in(municipality: Municipality) -> Client:
        client = Client(headers={"host": f"{municipality.slug}.krz.localhost"})
        with tenant_scope(municipality):
            mine = clerks.clerk(
                f"{municipality.slug}.clerk",
                name=f"Clerk of {municipality.slug}",
                role=Role.ADMINISTRATOR,
            )
            client.force_login(mine)
        return client

    return sign_in


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("method", ["get", "post"])
def test_clerk_of_beta_gets_nothing_of_alpha(
    beta: Municipality,
    of_alpha: Mapping[str, object],
    client_of: Callable[[Municipality], Client],
    page: Page,
    method: str,
) -> None:
    missing = set(page.parameters) - set(of_alpha)
    assert not missing, f"{page.name} takes {missing}: add something of alpha to `of_alpha`"
    response: HttpResponse = getattr(client_of(beta), method)(page.path(of_alpha))
    assert response.status_code < 500
    assert MARK not in _text(response)
    if any(isinstance(of_alpha[name], UUID) for name in page.parameters):
        assert response.status_code in {404, 405}, page.name
    assert current_tenant() is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_session_of_alpha_is_nobody_at_beta(
    alpha: Municipality,
    beta: Municipality,
    of_alpha: Mapping[str, object],
    client_of: Callable[[Municipality], Client],
    page: Page,
) -> None:
    client = client_of(alpha)
    response = client.get(page.path(of_alpha), headers={"host": "beta.krz.localhost"})
    assert not getattr(getattr(response, "wsgi_request", None), "user", None) or (
        not response.wsgi_request.user.is_authenticated
    )
    assert "Clerk of alpha" not in _text(response)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_centres_own_host_has_no_page_of_a_municipality(
    of_alpha: Mapping[str, object], client_of: Callable[[Municipality], Client], page: Page
) -> None:
    response = Client(headers={"host": "krz.localhost"}).get(page.path(of_alpha))
    assert response.status_code in {301, 302, 404}
    assert current_tenant() is None


def _text(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode(errors="replace"))


def test_accounts_live_in_municipalities() -> None:
    """A session and its account lie side by side; sessions of the centre would open every door."""
    assert get_user_model()._meta.label == "clerks.Clerk"

"""Every page, tried with the wrong tenant. A new address is tried too, or this fails.

Three ways in: a clerk of beta asks for things of alpha, in the address and in what a form sends; a
clerk of alpha takes the session along to beta's host; anybody asks the centre's own host for a
municipality's page.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
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
from tenants.web.forms.sheet import Sheet
from tests.factories import clerks
from tests.factories.requests import request
from tests.factories.schemas import rows_of

MARK = "Geheimnis-von-Alphastadt"
type Values = Mapping[str, object]
type Body = Callable[[Values], dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """An address: its name, and its route with parameters in braces."""

    name: str
    route: str
    parameters: tuple[str, ...]

    def path(self, values: Values) -> str:
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
def of_alpha(alpha: Municipality) -> Values:
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
        "part": "verlauf",
        "login": mine.login,
        "authority": alpha.authority_id,
    }


@pytest.fixture
def of_nobody(of_alpha: Values) -> Values:
    """The same things, which exist nowhere."""
    return {
        name: uuid4() if isinstance(value, UUID) else "n.niemand" if name == "login" else value
        for name, value in of_alpha.items()
    }


def _file(content: bytes, name: str = "Vermerk.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/plain")


def _sheet(values: Values) -> dict[str, Any]:
    """What the sheet of a request sends, with a chosen authority."""
    typed = Sheet(request(to=None)).as_typed()
    return {**typed, "authority": values["authority"], "version": 1, "action": "save"}


def _step(values: Values) -> dict[str, Any]:
    return {"own_reference": "V-1", "version": 1, "document": [values["document_id"]]}


def _of_nobody(_values: Values) -> dict[str, Any]:
    """A form in which nothing of anybody stands; the address may name something."""
    return {"version": 1}


#: What each page with a form is sent, made of things of whoever. A new page needs its line.
BODIES: Mapping[str, Body] = {
    "set_language": lambda v: {"language": "en", "next": f"/vorgang/{v['case_id']}/"},
    "web:accept_many": lambda v: {
        "case": [v["case_id"]],
        f"version-{v['case_id']}": 1,
        f"reference-{v['case_id']}": "V-1",
    },
    "web:sign_in": lambda v: {
        "login": v["login"],
        "password": clerks.PASSWORD,
        "next": f"/vorgang/{v['case_id']}/",
    },
    "web:sign_out": _of_nobody,
    "web:account": _of_nobody,
    "web:draft_new": _sheet,
    "web:draft_authority": _sheet,
    "web:draft_edit": _sheet,
    "web:correct": _sheet,
    "web:draft_submit": _of_nobody,
    "web:draft_delete": _of_nobody,
    "web:evidence": _of_nobody,
    "web:document_add": lambda _v: {"file": _file(b"Text")},
    "web:document_remove": _of_nobody,
    "web:message_resend": _of_nobody,
    "web:step": _step,
    "web:imports": lambda v: {"file": _file(f"Kopf;{v['authority']}\n".encode(), "datei.csv")},
    "web:import_decide": lambda _v: {"action": "submit"},
    "web:import_choose": lambda v: {"line": 1, "authority": v["authority"]},
    "web:clerk_new": lambda v: {"login": v["login"], "name": "Neu", "role": Role.CASEWORKER},
    "web:clerk": lambda _v: {"name": "Neu", "role": Role.READER},
    "web:clerk_switch": lambda _v: {"action": "close"},
}
#: Differs from one answer to the next, whatever was asked for.
_PASSING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # identifiers
    r"|\d{8}-\d{4}-\d{7}-\d"  # references of cases
    r"|\b[a-z2-9]{4}(-[a-z2-9]{4}){3}\b"  # temporary passwords
    r"|(?<=value=\")[\w-]{12,64}(?=\")|(?<=nonce=\")[^\"]+"  # tokens of forms
    r"|<time [^<]*|\d\d:\d\d"  # the time of day
    r"|\ba\.alpha\b|\bn\.niemand\b"
)


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
    of_alpha: Values,
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
    if method == "post":
        has_form = response.status_code != 405
        assert has_form == (page.name in BODIES), f"{page.name}: what is sent stands in `BODIES`"


@pytest.mark.parametrize("name", BODIES)
def test_form_with_things_of_alpha_changes_nothing_there_and_tells_nothing(
    alpha: Municipality,
    beta: Municipality,
    of_alpha: Values,
    of_nobody: Values,
    client_of: Callable[[Municipality], Client],
    name: str,
) -> None:
    (page,) = [each for each in PAGES if each.name == name]
    before = rows_of(alpha)
    client = client_of(beta)
    answers = []
    for values in (of_alpha, of_nobody):
        response = client.post(page.path(values), BODIES[name](values), follow=True)
        assert response.status_code < 500
        assert MARK not in _text(response)
        ways = [(_PASSING.sub("", url), status) for url, status in response.redirect_chain]
        answers.append((response.status_code, ways, _PASSING.sub("", _text(response))))
        if name == "web:sign_out":
            return
    assert answers[0] == answers[1]
    assert rows_of(alpha) == before


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_session_of_alpha_is_nobody_at_beta(
    alpha: Municipality,
    beta: Municipality,
    of_alpha: Values,
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
    of_alpha: Values, client_of: Callable[[Municipality], Client], page: Page
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

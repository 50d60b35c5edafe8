"""The content security policy, letter by letter: what a page may load, and who may hold it."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tenants.web.views import cases

Town = Any
Visit = Callable[..., Client]

POLICY = (
    "default-src 'none'; {scripts}style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def policy(answer: Any) -> str:
    return str(answer["Content-Security-Policy"])


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/hilfe/", 200), ("/gibt-es-nicht/", 404)]
)
def test_page_runs_the_scripts_that_it_names_and_nothing_of_others(
    visit: Visit, a: Town, path: str, status: int
) -> None:
    client, nonces = visit(a), set()
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == status
        (nonce,) = set(re.findall('<script [^>]*nonce="([^"]+)"', answer.text))
        assert policy(answer) == POLICY.format(scripts=f"script-src 'nonce-{nonce}'; ")
        nonces.add(nonce)
    assert len(nonces) == 2  # each is good for one answer


def test_page_about_a_fault_of_ours_runs_no_script(
    visit: Visit, a: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cases.selectors, "read_case", fail)
    client = visit(a)
    client.raise_request_exception = False
    answer = client.get(f"/vorgang/{uuid4()}/")
    assert answer.status_code == 500
    assert "<script" not in answer.text
    assert policy(answer) == POLICY.format(scripts="")

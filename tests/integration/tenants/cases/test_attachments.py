"""Documents travel with requests, queries, answers and reports."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from federation.outbox.models import Upload
from federation.protocol.errors import MessageUnprocessable
from tenants.cases import selectors, services
from tenants.cases.graph import State
from tenants.documents import services as documents
from tenants.documents.errors import DocumentNotFound
from tenants.documents.models import Document
from tests.factories.requests import request

Town = Any
Postman = Any


def attach(town: Town, case_id: UUID, name: str = "Bescheid.pdf") -> UUID:
    with town.scope():
        made = documents.attach(
            case_id=case_id, reference="E-1", name=name, chunks=[b"%PDF-1.7 x"], by=town.by
        )
    found: UUID = made.id
    return found


def test_a_draft_takes_its_documents_along(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
    document_id = attach(a, case.id)
    with a.scope():
        services.submit_draft(case_id=case.id, version=1, by=a.by)
        sent = Document.objects.get(id=document_id)
        assert sent.message_id is not None
        assert Upload.objects.filter(message_id=sent.message_id).count() == 1
    post.until_quiet()
    with b.scope():
        [received] = selectors.case_view(case_id=case.id, by=b.by).documents.rows
    assert received.received
    assert (received.name, bytes(received.key)) == ("Bescheid.pdf", bytes(sent.key))
    assert received.message_id == sent.message_id


def test_queries_and_answers_carry_documents(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with b.scope():
        services.ask(
            **b.act(case.id), topic="title", text="Ist das er?",
            document_ids=[attach(b, case.id, "Titel.pdf")],
        )  # fmt: skip
    post.until_quiet()
    with a.scope():
        services.answer(**a.act(case.id), text="Ja.", document_ids=[attach(a, case.id)])
    post.until_quiet()
    assert a.case(case.id).state == State.REGISTERED
    for town in (a, b):
        with town.scope():
            names = [
                each.name
                for each in selectors.case_view(case_id=case.id, by=town.by).documents.rows
            ]
        assert names == ["Titel.pdf", "Bescheid.pdf"]


def test_a_document_of_another_case_stops_the_step(a: Town, b: Town, post: Postman) -> None:
    with a.scope():
        case = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    with b.scope():
        foreign = attach(b, uuid4())
        with pytest.raises(DocumentNotFound):
            services.ask(**b.act(case.id), topic="title", text="Dies?", document_ids=[foreign])
    assert b.case(case.id).state == State.REGISTERED


def test_a_document_that_the_envelope_did_not_announce_is_refused(
    a: Town, b: Town, post: Postman
) -> None:
    with a.scope():
        case = services.create_draft(draft=request(to=b.id), by=a.by)
    attach(a, case.id)
    with a.scope():
        services.submit_draft(case_id=case.id, version=1, by=a.by)
    [letter] = post.waiting(a)
    with pytest.raises(MessageUnprocessable, match="not announced"):
        post.bring(replace(letter, blobs=()))


def test_a_draft_that_is_thrown_away_forgets_its_documents(a: Town) -> None:
    with a.scope():
        case = services.create_draft(draft=request(), by=a.by)
    attach(a, case.id)
    with a.scope():
        services.delete_draft(case_id=case.id, by=a.by)
        assert Document.objects.count() == 0

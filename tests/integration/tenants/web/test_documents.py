"""Documents: in, out, and what the browser may do with them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.test import Client

from federation.outbox import services as outbox
from federation.outbox.errors import BacklogFull
from tenants.cases import services
from tenants.cases.graph import State
from tenants.documents.models import Document
from tenants.web import uploads
from tests.factories.requests import request

Town = Any
Visit = Callable[..., Client]
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3000


def upload(client: Client, case_id: UUID, name: str, content: bytes) -> Any:
    file = SimpleUploadedFile(name, content)
    return client.post(f"/vorgang/{case_id}/anlagen/", {"file": file}, follow=True)


def only_document(town: Town) -> Document:
    with town.scope():
        return Document.objects.get()


def content(answer: Any) -> bytes:
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]


def test_document_comes_back_as_it_went_in(visit: Visit, b: Town, case_id: UUID) -> None:
    client = visit(b)
    page = upload(client, case_id, "Bescheid Größe.pdf", PDF)
    assert "Bescheid Größe.pdf ist hochgeladen." in page.text
    document = only_document(b)
    answer = client.get(f"/anlage/{document.id}/")
    assert content(answer) == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Length"] == str(len(PDF))
    assert answer["Content-Disposition"].startswith("inline; filename*=UTF-8''Bescheid%20Gr")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == (
        "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox"
    )
    assert "no-store" in answer["Cache-Control"]


def test_document_can_be_saved_instead_of_shown(visit: Visit, b: Town, case_id: UUID) -> None:
    client = visit(b)
    upload(client, case_id, "a.pdf", PDF)
    answer = client.get(f"/anlage/{only_document(b).id}/?herunterladen")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Type"] == "application/octet-stream"


def test_document_of_others_does_not_exist(visit: Visit, b: Town, c: Town, case_id: UUID) -> None:
    upload(visit(b), case_id, "a.pdf", PDF)
    assert visit(c).get(f"/anlage/{only_document(b).id}/").status_code == 404


def test_program_and_page_and_nothing_are_refused_in_words(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    for name, bytes_ in (("a.pdf", b"MZ\x90\x00" * 100), ("b.txt", b"<html><script>"), ("c", b"")):
        page = upload(client, case_id, name, bytes_).text
        assert "kern-alert--danger" in page, name
    assert (
        "Wählen Sie zuerst eine Datei aus"
        in client.post(f"/vorgang/{case_id}/anlagen/", follow=True).text
    )
    with b.scope():
        assert not Document.objects.exists()


def test_unsent_document_can_be_taken_off(visit: Visit, b: Town, case_id: UUID) -> None:
    client = visit(b)
    upload(client, case_id, "a.pdf", PDF)
    page = client.post(f"/anlage/{only_document(b).id}/entfernen/", follow=True)
    assert "Die Anlage ist entfernt." in page.text
    with b.scope():
        assert not Document.objects.exists()


def test_foreign_document_that_is_ticked_does_not_go_along(
    visit: Visit, version: Any, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    with a.scope():
        other = services.submit_request(draft=request(to=b.id), by=a.by)
    post.until_quiet()
    client = visit(b)
    upload(client, other.id, "geheim.pdf", PDF)
    foreign = only_document(b)
    client.post(
        f"/vorgang/{case_id}/rueckfragen/",
        {
            "topic": "title",
            "text": "Bescheid?",
            "version": version(b, case_id),
            "document": [str(foreign.id), str(uuid4()), "kein-kennzeichen"],
        },
    )
    post.until_quiet()
    assert a.case(case_id).state == State.QUERIED
    assert only_document(b).message_id is None
    with a.scope():
        assert not Document.objects.exists()


def test_answer_takes_documents_along(
    visit: Visit, version: Any, a: Town, b: Town, post: Any, case_id: UUID
) -> None:
    visit(b).post(
        f"/vorgang/{case_id}/rueckfragen/",
        {"topic": "title", "text": "Bescheid?", "version": version(b, case_id)},
    )
    post.until_quiet()
    client = visit(a)
    upload(client, case_id, "liegt-schon-da.pdf", PDF)
    lying = only_document(a)
    form = client.get(f"/vorgang/{case_id}/antworten/")
    assert "liegt-schon-da.pdf" in form.text
    client.post(
        f"/vorgang/{case_id}/antworten/",
        {
            "text": "Anbei.",
            "version": version(a, case_id),
            "document": str(lying.id),
            "file": SimpleUploadedFile("neu.pdf", PDF),
        },
    )
    with a.scope():
        assert all(Document.objects.values_list("message_id", flat=True))
        assert Document.objects.count() == 2


def test_more_than_a_document_may_hold_is_stopped_on_the_way(
    visit: Visit, b: Town, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 1_000_000)
    client = visit(b)
    page = upload(client, case_id, "riesig.pdf", b"%PDF-" + b"x" * 1_200_000)
    assert "Das ist zu viel auf einmal" in page.text
    with b.scope():
        assert not Document.objects.exists()
    asked = client.post(
        f"/vorgang/{case_id}/rueckfragen/",
        {
            "topic": "title",
            "text": "Bescheid?",
            "version": b.case(case_id).version,
            "file": SimpleUploadedFile("riesig.pdf", b"%PDF-" + b"x" * 1_200_000),
        },
    )
    assert asked.status_code == 400
    assert "Das ist zu viel auf einmal" in asked.text


def test_far_more_than_that_is_not_even_read_to_its_end(
    visit: Visit, b: Town, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_HOPELESS_BYTES", 1_000_000)
    page = upload(visit(b), case_id, "riesig.pdf", b"%PDF-" + b"x" * 1_200_000)
    assert "Das ist zu viel auf einmal" in page.text
    with b.scope():
        assert not Document.objects.exists()


def test_full_outbox_is_said_with_a_time_to_come_back(
    visit: Visit, b: Town, case_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_given: object) -> None:
        raise BacklogFull

    monkeypatch.setattr(outbox, "post", full)
    answer = visit(b).post(
        f"/vorgang/{case_id}/annehmen/",
        {"own_reference": "V-1", "version": b.case(case_id).version},
    )
    assert answer.status_code == 429
    assert answer["Retry-After"] == "60"
    assert b.case(case_id).state == "registered"

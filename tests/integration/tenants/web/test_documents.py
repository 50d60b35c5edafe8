"""Documents: in, out, and what the browser may do with them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.test import Client

from centre.audit import selectors as audit
from federation.blobs.files import Files
from federation.blobs.models import Blob
from federation.blobs.sizes import MAX_DOCUMENT_BYTES
from federation.outbox import services as outbox
from federation.outbox.errors import BacklogFull
from tenants.cases import services
from tenants.cases.graph import State
from tenants.documents.models import Document
from tenants.web import uploads
from tests.factories.damage import overwrite
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


def test_what_happens_to_a_document_stands_in_the_trail_under_its_case(
    visit: Visit, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    upload(client, case_id, "a.pdf", PDF)
    document = only_document(b)
    client.get(f"/anlage/{document.id}/")
    client.post(f"/anlage/{document.id}/entfernen/")
    with b.scope():
        trail = [entry.content for entry in audit.trail(subject=b.case(case_id).reference)]
    told = [each["event"] for each in trail if each["detail"].get("document") == str(document.id)]
    assert sorted(told) == ["document:file:added", "document:file:read", "document:file:removed"]


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


def test_files_of_a_faulty_step_are_kept_and_judged_with_it(
    visit: Visit, version: Any, b: Town, case_id: UUID
) -> None:
    client = visit(b)
    path = f"/vorgang/{case_id}/rueckfragen/"
    files = [SimpleUploadedFile("bescheid.pdf", PDF), SimpleUploadedFile("boese.exe", b"MZ\0")]
    fields = {"topic": "title", "version": version(b, case_id)}
    answer = client.post(path, {**fields, "text": "", "file": files})
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {"text", "__all__"}
    assert "boese.exe: Dieses Dokument wird nicht angenommen." in answer.text
    kept = only_document(b)
    assert f'value="{kept.id}" checked' in answer.text
    assert client.post(path, {**fields, "text": "Gut so?", "document": str(kept.id)}).url
    assert only_document(b).message_id is not None


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([1_000_000], "riesig-0.pdf ist hochgeladen."),
        ([500_000, 500_000], "riesig-1.pdf ist hochgeladen."),
        ([1_000_001], "Das ist zu viel auf einmal"),
        ([600_000, 600_000], "Das ist zu viel auf einmal"),
    ],
)
def test_as_much_as_the_page_says_is_taken_and_no_more(
    visit: Visit,
    b: Town,
    case_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
    words: str,
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 1_000_000)
    client = visit(b)
    files = [
        SimpleUploadedFile(f"riesig-{number}.pdf", b"%PDF-".ljust(size, b"x"))
        for number, size in enumerate(sizes)
    ]
    page = client.post(f"/vorgang/{case_id}/anlagen/", {"file": files}, follow=True)
    assert words in page.text
    assert ("höchstens 1 MB" in page.text) is ("zu viel" in words)
    for file in files:
        file.seek(0)
    asked = client.post(
        f"/vorgang/{case_id}/rueckfragen/",
        {"topic": "title", "text": "?", "version": b.case(case_id).version, "file": files},
    )
    assert asked.status_code == (400 if "zu viel" in words else 302)
    assert ("Das ist zu viel auf einmal" in asked.text) is ("zu viel" in words)


def test_the_largest_document_fits_into_one_request() -> None:
    assert uploads.MOST_BYTES == MAX_DOCUMENT_BYTES


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


@pytest.mark.parametrize("documents", ["files"], indirect=True)
def test_document_whose_file_is_gone_has_a_page_that_says_so(
    visit: Visit, b: Town, case_id: UUID, documents: Files
) -> None:
    client = visit(b)
    upload(client, case_id, "Bescheid.pdf", PDF)
    with b.scope():
        blob = Blob.objects.get()
    documents.remove(blob.tenant_role, blob.id)
    answer = client.get(f"/anlage/{only_document(b).id}/")
    assert answer.status_code == 503
    assert "kann zurzeit nicht gelesen werden" in answer.text
    assert "wenden Sie sich an Ihr Rechenzentrum" in answer.text


@pytest.mark.parametrize("documents", ["files"], indirect=True)
@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "de",
            ("beschädigt und kann nicht gelesen werden", "Wenden Sie sich an Ihr Rechenzentrum"),
        ),
        ("en", ("is damaged and cannot be read", "Turn to your computing centre")),
    ],
)
def test_document_whose_bytes_have_changed_has_a_page_that_says_so(
    visit: Visit, b: Town, case_id: UUID, documents: Files, language: str, words: tuple[str, ...]
) -> None:
    client = visit(b)
    upload(client, case_id, "Bescheid.pdf", PDF)
    with b.scope():
        blob = Blob.objects.get()
    overwrite(documents.path(blob.tenant_role, blob.id), at=100)
    document = only_document(b)
    answer = client.get(f"/anlage/{document.id}/", headers={"accept-language": language})
    assert answer.status_code == 503
    for each in words:
        assert each in answer.text
    with b.scope():
        trail = [entry.content for entry in audit.trail(subject=b.case(case_id).reference)]
    assert "document:file:read" not in {each["event"] for each in trail}

"""Documents are kept sealed, judged by content, and stay once they were sent."""

import resource
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from centre.kernel.actors import system
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.blobs import selectors as blobs
from federation.blobs import services as blob_services
from federation.blobs.files import Files
from federation.blobs.models import Blob, BlobChunk
from tenants.documents import selectors, services
from tenants.documents.errors import (
    DocumentNotFound,
    DocumentRefused,
    DocumentSent,
    DocumentUnavailable,
)
from tenants.documents.models import Document

BY = system("tests")
REFERENCE = "VE-05770024-2026-000007"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3_000


@pytest.fixture(autouse=True)
def _scope(alpha: Municipality) -> Iterator[None]:
    with tenant_scope(alpha):
        yield


def _pieces(content: bytes, size: int = 1000) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def _attach(name: str = "Bescheid.pdf", content: bytes = PDF, **given: object) -> Document:
    case_id = given.get("case_id") or new_id()
    return services.attach(
        case_id=case_id, reference=REFERENCE, name=name, chunks=_pieces(content), by=BY
    )  # type: ignore[arg-type]


def test_what_was_attached_can_be_read_and_lies_sealed() -> None:
    document = _attach("../Bescheid.pdf")
    assert (document.name, document.media_type) == ("Bescheid.pdf", "application/pdf")
    assert document.size == len(PDF)
    assert document.sealed_size > document.size
    assert blobs.exists(digest=bytes(document.digest))
    assert all(PDF[:64] not in bytes(chunk.data) for chunk in BlobChunk.objects.all())
    found, pieces = selectors.read(document_id=document.id, reference=REFERENCE, by=BY)
    assert b"".join(pieces) == PDF
    assert found.id == document.id
    events = [entry.content["event"] for entry in audit.trail(subject=REFERENCE)]
    assert sorted(events) == ["document:file:added", "document:file:read"]


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"<html>"])
def test_other_contents_are_refused_whatever_the_name(content: bytes) -> None:
    with pytest.raises(DocumentRefused):
        _attach(content=content)
    assert Document.objects.count() == 0
    assert BlobChunk.objects.count() == 0


def test_too_large_too_much_and_too_many_are_told_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case_id = new_id()
    with override_settings(BLOB_QUOTA_BYTES=0), pytest.raises(DocumentRefused, match="voll"):
        _attach()
    with monkeypatch.context() as patch:
        patch.setattr(blob_services, "MAX_DOCUMENT_BYTES", 1000)
        with pytest.raises(DocumentRefused, match="größer als 100 MB"):
            _attach()
    with monkeypatch.context() as patch:
        patch.setattr(services, "MAX_DOCUMENTS_OF_A_CASE", 1)
        _attach(case_id=case_id)
        with pytest.raises(DocumentRefused, match="schon 1"):
            _attach(case_id=case_id)
    assert Document.objects.count() == 1


@pytest.mark.parametrize("documents", ["files"], indirect=True)
def test_a_folder_that_cannot_be_used_is_told_in_words(documents: Files, tmp_path: Path) -> None:
    document = _attach()
    blob = Blob.objects.get()
    assert b"%PDF" not in documents.path(blob.tenant_role, blob.id).read_bytes()
    documents.remove(blob.tenant_role, blob.id)
    with pytest.raises(DocumentUnavailable, match="zurzeit nicht gelesen"):
        selectors.read(document_id=document.id, reference=REFERENCE, by=BY)
    events = [entry.content["event"] for entry in audit.trail(subject=REFERENCE)]
    assert events == ["document:file:added"]
    (tmp_path / "documents").rename(tmp_path / "gone")
    with pytest.raises(DocumentRefused, match="zurzeit nicht gespeichert"):
        _attach()


@pytest.mark.parametrize("documents", ["files"], indirect=True)
def test_a_full_disk_is_told_in_words(documents: Files) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (25 * 4096, hard))
    try:
        with pytest.raises(DocumentRefused, match="ist voll"):
            _attach()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not Blob.objects.exists()


def test_only_what_was_not_sent_can_be_removed() -> None:
    document = _attach()
    services.mark_sent(documents=[document], message_id=new_id())
    with pytest.raises(DocumentSent):
        services.remove(document_id=document.id, reference=REFERENCE, by=BY)
    other = _attach()
    services.remove(document_id=other.id, reference=REFERENCE, by=BY)
    with pytest.raises(DocumentNotFound):
        services.remove(document_id=other.id, reference=REFERENCE, by=BY)
    told = [entry.content for entry in audit.trail(subject=REFERENCE)]
    told = [each for each in told if each["detail"]["document"] == str(other.id)]
    assert {each["detail"]["case"] for each in told} == {str(other.case_id)}
    assert sorted(each["event"] for each in told) == [
        AuditEvent.DOCUMENT_FILE_ADDED,
        AuditEvent.DOCUMENT_FILE_REMOVED,
    ]
    assert {each["actor"]["id"] for each in told} == {BY.id}
    with pytest.raises(DocumentNotFound):
        selectors.document(document_id=uuid4())


def test_what_is_removed_unsent_takes_its_sealed_bytes_along() -> None:
    kept, removed, discarded = _attach(), _attach(), _attach()
    services.remove(document_id=removed.id, reference=REFERENCE, by=BY)
    services.discard(case_id=discarded.case_id)
    [blob] = Blob.objects.all()
    assert bytes(blob.digest) == bytes(kept.digest)
    assert set(BlobChunk.objects.values_list("blob_id", flat=True)) == {blob.id}


def test_sealed_bytes_stay_while_something_names_them() -> None:
    draft, sent = _attach(), _attach()
    services.mark_sent(documents=[sent], message_id=new_id())
    services.discard(case_id=sent.case_id)
    Document.objects.create(
        **{
            field: getattr(draft, field)
            for field in ("name", "media_type", "size", "digest", "sealed_size", "key")
        },
        case_id=new_id(),
        created_by="somebody",
        created_at=draft.created_at,
    )
    services.remove(document_id=draft.id, reference=REFERENCE, by=BY)
    assert {bytes(each.digest) for each in Blob.objects.all()} == {
        bytes(draft.digest),
        bytes(sent.digest),
    }


def test_document_removed_since_it_was_chosen_stops_the_message() -> None:
    document = _attach()
    [chosen] = selectors.unsent(case_id=document.case_id, document_ids=[document.id])
    services.remove(document_id=document.id, reference=REFERENCE, by=BY)
    with pytest.raises(DocumentNotFound):
        services.mark_sent(documents=[chosen], message_id=new_id())


def test_only_unsent_documents_of_the_same_case_go_with_a_message() -> None:
    mine, others = _attach(), _attach()
    chosen = selectors.unsent(case_id=mine.case_id, document_ids=[mine.id])
    assert [each.id for each in chosen] == [mine.id]
    with pytest.raises(DocumentNotFound):
        selectors.unsent(case_id=mine.case_id, document_ids=[mine.id, others.id])
    with pytest.raises(DocumentRefused, match="64"):
        services.mark_sent(documents=[mine] * 65, message_id=new_id())


def test_received_documents_get_safe_names_and_types() -> None:
    case_id = new_id()
    services.keep_received(
        case_id=case_id,
        message_id=new_id(),
        documents=[
            services.Received(
                name="../böse.exe",
                media_type="text/html",
                size=1,
                digest=bytes(32),
                sealed_size=17,
                key=bytes(32),
            )
        ],
        sender="Betadorf",
    )
    [document] = selectors.of_case(case_id)
    assert (document.name, document.media_type) == ("böse.exe.bin", "application/octet-stream")
    assert document.received

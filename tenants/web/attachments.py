"""Documents that go with a step: those that lie in the case unsent, and new ones."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from tenants.documents import services
from tenants.documents.errors import DocumentRefused
from tenants.documents.models import Document
from tenants.web.requests import actor_of
from tenants.web.uploads import was_too_much

_CHUNK = 256 * 1024


def pieces(file: "UploadedFile[bytes]") -> Iterator[bytes]:
    """Return an uploaded file in pieces, so that memory holds one at a time."""
    yield from file.chunks(_CHUNK)


def chosen(request: HttpRequest, case_id: UUID, offered: Sequence[Document]) -> list[UUID]:
    """Return the ids of what goes along: the ticked ones, then the uploaded files, now stored.

    Raises `DocumentRefused`; the files stored before it stay in the case, unsent.
    """
    if was_too_much(request):
        raise DocumentRefused(_("Das ist zu viel auf einmal: höchstens 100 MB je Anlage."))
    ticked = set(request.POST.getlist("document"))
    ids = [each.id for each in offered if str(each.id) in ticked]
    for file in request.FILES.getlist("file"):
        document = services.attach(
            case_id=case_id, name=file.name or "", chunks=pieces(file), by=actor_of(request)
        )
        ids.append(document.id)
    return ids

"""Documents that go with a step: those that lie in the case unsent, and new ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from tenants.cases.selectors import CaseView
from tenants.documents import services
from tenants.documents.errors import DocumentRefused
from tenants.web.phrases import say
from tenants.web.requests import actor_of
from tenants.web.uploads import too_much, was_too_much

_CHUNK = 256 * 1024


def pieces(file: "UploadedFile[bytes]") -> Iterator[bytes]:
    """Return an uploaded file in pieces, so that memory holds one at a time."""
    yield from file.chunks(_CHUNK)


@dataclass(frozen=True)
class Chosen:
    """What goes along with a step, and what of it was refused, in words."""

    ids: list[UUID]
    refused: list[str]


def chosen(request: HttpRequest, view: CaseView) -> Chosen:
    """Return what goes along: the ticked documents, then the uploaded files, now stored.

    What was stored stays in the case, unsent, if the step is not taken; it is offered again.
    """
    ticked = set(request.POST.getlist("document"))
    ids = [each.id for each in view.unsent if str(each.id) in ticked]
    refused = [too_much()] if was_too_much(request) else []
    for file in request.FILES.getlist("file"):
        try:
            document = services.attach(
                case_id=view.case_id,
                reference=view.reference,
                name=file.name or "",
                chunks=pieces(file),
                by=actor_of(request),
            )
        except DocumentRefused as refusal:
            refused.append(f"{file.name}: {say(refusal.message)}")
        else:
            ids.append(document.id)
    return Chosen(ids, refused)

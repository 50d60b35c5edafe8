"""Documents: bring one in, look at it, take it home."""

from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tenants.cases import policies, selectors
from tenants.documents import selectors as documents
from tenants.documents import services
from tenants.documents.errors import DocumentError, DocumentRefused
from tenants.web import attachments
from tenants.web.phrases import say
from tenants.web.requests import actor_of
from tenants.web.uploads import too_much, was_too_much

# What a browser may show in its own window; everything else is only offered for saving.
_SHOWN = frozenset({"application/pdf", "image/png", "image/jpeg", "text/plain"})
_SANDBOX = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox"


@require_POST
def add(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Attach the uploaded files to a case."""
    policies.require_worker(actor_of(request))
    reference = selectors.reference_of(case_id)  # or there is nothing to attach to
    files = request.FILES.getlist("file")
    if was_too_much(request):
        messages.error(request, too_much())
    elif not files:
        messages.error(request, _("Wählen Sie zuerst eine Datei aus."))
    for file in files:
        try:
            services.attach(
                case_id=case_id,
                reference=reference,
                name=file.name or _("Anlage"),
                chunks=attachments.pieces(file),
                by=actor_of(request),
            )
        except DocumentRefused as refused:
            messages.error(request, f"{file.name}: {say(refused.message)}")
        else:
            messages.success(request, _("%(name)s ist hochgeladen.") % {"name": file.name})
    return redirect("web:case", case_id=case_id)


@require_safe
def show(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Stream a document. The browser may neither guess its type nor run anything in it."""
    reference = selectors.reference_of(documents.document(document_id=document_id).case_id)
    document, chunks = documents.read(
        document_id=document_id, reference=reference, by=actor_of(request)
    )
    shown = document.media_type in _SHOWN and "herunterladen" not in request.GET
    response = StreamingHttpResponse(
        chunks, content_type=document.media_type if shown else "application/octet-stream"
    )
    way = "inline" if shown else "attachment"
    name = quote(document.name, safe="")
    response["Content-Disposition"] = f"{way}; filename*=UTF-8''{name}"
    response["Content-Length"] = str(document.size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = _SANDBOX
    response["Cache-Control"] = "private, no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@require_POST
def remove(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Take a document off that was not sent yet."""
    policies.require_worker(actor_of(request))
    document = documents.document(document_id=document_id)
    reference = selectors.reference_of(document.case_id)
    try:
        services.remove(document_id=document_id, reference=reference, by=actor_of(request))
    except DocumentError as refused:
        messages.error(request, say(refused.message))
    else:
        messages.success(request, _("Die Anlage ist entfernt."))
    return redirect("web:case", case_id=document.case_id)

"""Taking a step: a page with its form, then the service, then the case again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from centre.kernel.errors import AmtsbrueckeError
from federation.outbox.errors import RecipientUnreachable
from tenants.cases import lifecycle, selectors
from tenants.cases.errors import (
    CaseChanged,
    InputInvalid,
    NotAllowed,
    OtherAuthorityPresent,
    StepNotPossible,
)
from tenants.cases.graph import Verb
from tenants.cases.lifecycle import Standing
from tenants.cases.selectors import CaseView
from tenants.documents import selectors as documents
from tenants.documents.errors import DocumentRefused
from tenants.web import attachments, once
from tenants.web.forms.steps import StepForm
from tenants.web.phrases import in_words, say
from tenants.web.requests import actor_of, version_of
from tenants.web.steps import BY_SLUG, StepPage
from tenants.web.views.errors import conflict


@require_http_methods(["GET", "POST"])
def take(request: HttpRequest, case_id: UUID, slug: str) -> HttpResponse:
    page = BY_SLUG.get(slug)
    if page is None:
        raise Http404
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    is_sent = request.method == "POST"
    form = page.form(
        request.POST if is_sent else None,
        initial=_suggestions(page, view),
        demanded_cents=view.request.total_cents,
    )
    is_possible = page.verb in {step.verb for step in view.steps}
    if is_sent:
        extra = _documents(request, page, view, form) if is_possible else {}
        if form.is_valid() and (answer := _taken(request, page, view, form, extra)):
            return answer
    if not is_possible:
        return _impossible(request, page, view)
    return _page(request, page, view, form)


def _suggestions(page: StepPage, view: CaseView) -> dict[str, Any]:
    return {"own_reference": view.reference} if page.verb is Verb.ACCEPT else {}


def _taken(
    request: HttpRequest,
    page: StepPage,
    view: CaseView,
    form: StepForm,
    extra: dict[str, Any],
) -> HttpResponse | None:
    """Take the step and return where that leads; None if the form must be looked at again."""
    here = reverse("web:case", args=[view.case_id])
    try:
        with once.guarded(request) as earlier:
            if earlier:
                return redirect(earlier)
            page.take(
                case_id=view.case_id,
                version=version_of(request),
                by=actor_of(request),
                **form.cleaned_data,
                **extra,
            )
            once.done(request, here)
    except (CaseChanged, StepNotPossible) as late:
        return conflict(request, say(late.message), back=here)
    except InputInvalid as invalid:
        form.mark(invalid.faults)
        return None
    except (DocumentRefused, RecipientUnreachable) as refused:
        form.add_error(None, in_words(refused))
        return None
    messages.success(request, str(page.done))
    return redirect(here)


def _documents(
    request: HttpRequest, page: StepPage, view: CaseView, form: StepForm
) -> dict[str, Any]:
    """Store what goes along, whatever else is wrong: nobody chooses a file twice."""
    if not page.may_attach or once.is_done(request):
        return {}
    chosen = attachments.chosen(request, view)
    for words in chosen.refused:
        form.add_error(None, words)
    return {"document_ids": chosen.ids}


def _impossible(request: HttpRequest, page: StepPage, view: CaseView) -> HttpResponse:
    """Answer a step that the case, or the clerk's role, does not allow."""
    try:
        lifecycle.take(Standing(side=view.side, state=view.state), page.verb)
        if lifecycle.step(page.verb).alone and view.absence is None:
            raise OtherAuthorityPresent
    except AmtsbrueckeError as refused:
        return conflict(
            request, say(refused.message), back=reverse("web:case", args=[view.case_id])
        )
    raise NotAllowed


def _page(request: HttpRequest, page: StepPage, view: CaseView, form: StepForm) -> HttpResponse:
    context = {
        "case": view,
        "page": page,
        "form": form,
        "offered": documents.unsent_of_case(view.case_id) if page.may_attach else [],
        "once": once.token(),
        "version": request.POST.get("version", view.version),
        "back": reverse("web:case", args=[view.case_id]),
    }
    return render(request, "web/step.html", context, status=400 if form.errors else 200)

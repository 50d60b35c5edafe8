"""A case: what it is, where it stands, and what to do next."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tenants.cases import selectors, services
from tenants.cases.evidence import export_evidence
from tenants.cases.graph import State, Verb
from tenants.cases.selectors import CaseView
from tenants.clerks.roles import Role
from tenants.web import guide
from tenants.web.requests import actor_of, clerk_of, id_of
from tenants.web.steps import PAGES


@dataclass(frozen=True)
class List:
    """A list on the page of a case that can become long."""

    slug: str
    #: The field of `CaseView`, and the template.
    key: str
    title: Any


LISTS: Final = (
    List("verlauf", "timeline", gettext_lazy("Früherer Verlauf")),
    List("zustellung", "deliveries", gettext_lazy("Frühere Nachrichten")),
    List("anlagen", "documents", gettext_lazy("Frühere Anlagen")),
)


@require_safe
def show(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Show a case. Its reading is recorded in the trail."""
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    if view.state is State.DRAFT:
        return redirect("web:draft_edit", case_id=case_id)
    may_act = clerk_of(request).may(Role.CASEWORKER)
    context = {
        "case": view,
        "tone": guide.tone(view.state, view.side),
        "advice": guide.advice(view.state, view.side, alone=_is_over_only_alone(view)),
        "links": links(view) if may_act else [],
        "may_act": may_act,
        "may_see_danger": may_act,
        "may_see_blocked": may_act,
    }
    return render(request, "web/case.html", context)


def _is_over_only_alone(view: CaseView) -> bool:
    """Say whether nobody but this side can bring the case to its end."""
    return any(step.alone for step in view.steps)


def links(view: CaseView) -> list[dict[str, object]]:
    """Return the steps that can be taken now, in the order in which people need them.

    What would send something to an authority that has left the directory is not among them; a
    request may still be corrected and go to another one.
    """
    possible = {step.verb for step in view.steps if not (view.absence and step.sends)}
    found: list[dict[str, object]] = []
    if any(step.verb is Verb.RESUBMIT for step in view.steps):
        url = reverse("web:correct", args=[view.case_id])
        found.append({"url": url, "button": _("Berichtigen und erneut senden")})
    found.extend(
        {"url": reverse("web:step", args=[view.case_id, page.slug]), "button": page.button}
        for verb, page in PAGES.items()
        if verb in possible
    )
    return found


@require_safe
def earlier(request: HttpRequest, case_id: UUID, part: str) -> HttpResponse:
    """Show what comes before the newest entries of one of a case's lists."""
    chosen = next((each for each in LISTS if each.slug == part), None)
    if chosen is None:
        raise Http404
    mark = id_of(request.GET.get("vor", ""))
    before = {chosen.key: mark} if mark else {}
    view = selectors.read_case(case_id=case_id, by=actor_of(request), before=before)
    may_act = clerk_of(request).may(Role.CASEWORKER)
    context = {
        "case": view,
        "part": chosen,
        "may_act": may_act,
        "may_see_danger": may_act,
        "is_earlier": True,
    }
    return render(request, "web/case_earlier.html", context)


@require_POST
def resend(request: HttpRequest, case_id: UUID, message_id: UUID) -> HttpResponse:
    """Put a message that was parked back on its way."""
    services.resend_message(case_id=case_id, message_id=message_id, by=actor_of(request))
    messages.success(request, _("Die Nachricht ist erneut auf dem Weg."))
    return redirect("web:case", case_id=case_id)


@require_POST
def evidence(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Hand out the file that proves a case's deliveries without us. Taking it is recorded."""
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    file = export_evidence(case_id=case_id, by=actor_of(request))
    response = HttpResponse(file, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="nachweis-{view.reference}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response

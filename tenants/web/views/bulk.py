"""Fifty at once: choose in the list, look once, accept, read what came of it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tenants.cases import selectors, services
from tenants.web import once
from tenants.web.phrases import in_words
from tenants.web.requests import actor_of, id_of, version_of

MOST = 100


@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest) -> HttpResponse:
    """Show what was chosen and, once confirmed, accept it; each case succeeds or fails alone."""
    source = request.POST if request.method == "POST" else request.GET
    chosen = _ids(source.getlist("case"))
    if not chosen:
        messages.info(request, _("Wählen Sie zuerst in der Liste aus, was Sie annehmen möchten."))
        return redirect("web:worklist")
    if len(chosen) > MOST:
        messages.error(request, _("Höchstens %(most)s Vorgänge auf einmal.") % {"most": MOST})
        return redirect("web:worklist")
    if request.method == "GET":
        rows = selectors.rows(case_ids=chosen, by=actor_of(request))
        context = {
            "rows": [row for row in rows if row.can_accept],
            "others": [row for row in rows if not row.can_accept],
            "total_cents": sum(row.total_cents for row in rows if row.can_accept),
            "once": once.token(),
        }
        return render(request, "web/accept_many.html", context)
    choices = [
        (
            case_id,
            version_of(request, f"version-{case_id}"),
            request.POST.get(f"reference-{case_id}", ""),
        )
        for case_id in chosen
    ]
    with once.guarded(request) as earlier:
        if earlier:
            return redirect(earlier)
        once.done(request, reverse("web:worklist"))  # before: each acceptance stands alone
    results = services.accept_many(choices=choices, by=actor_of(request))
    shown = {row.case_id: row for row in selectors.rows(case_ids=chosen, by=actor_of(request))}
    report = [
        {
            "row": shown.get(result.case_id),
            "error": in_words(result.error) if result.error else "",
        }
        for result in results
    ]
    failed = [line for line in report if line["error"]]
    context = {"report": report, "failed": failed, "accepted": len(report) - len(failed)}
    return render(request, "web/accepted_many.html", context)


def _ids(texts: list[str]) -> list[UUID]:
    return list(dict.fromkeys(filter(None, map(id_of, texts))))  # a mangled one chooses nothing

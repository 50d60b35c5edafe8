"""Files with many requests: bring one in, look at what it says, decide, watch."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from centre.tenancy.context import carry
from tenants.cases import policies
from tenants.importers import selectors, services
from tenants.importers.columns import COLUMNS
from tenants.importers.errors import ImporterError
from tenants.importers.models import RowState, RunState
from tenants.importers.selectors import RunView
from tenants.web import attachments
from tenants.web.phrases import say
from tenants.web.requests import actor_of, id_of, number_of
from tenants.web.uploads import was_too_much

_PARTS: Final = (
    ("fehler", RowState.FAULTY, gettext_lazy("Mit Fehlern")),
    ("offen", RowState.UNDECIDED, gettext_lazy("Zuständigkeit offen")),
    ("gut", RowState.GOOD, gettext_lazy("Bereit")),
    ("uebernommen", RowState.IMPORTED, gettext_lazy("Übernommen")),
    ("bekannt", RowState.REPEATED, gettext_lazy("Schon bekannt")),
)
_DRAFTS_SHOWN: Final = 10
_UNDER_WAY: Final = frozenset({RunState.CHECKING, RunState.RUNNING})


@require_http_methods(["GET", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Take a file; show those of before."""
    policies.require_worker(actor_of(request))
    problem = ""
    if request.method == "POST":
        file = request.FILES.get("file")
        if was_too_much(request):
            problem = _("Die Datei ist zu groß. Teilen Sie sie auf.")
        elif file is None:
            problem = _("Wählen Sie zuerst eine Datei aus.")
        else:
            try:
                run = services.start(
                    name=file.name or _("Datei"),
                    chunks=attachments.pieces(file),
                    by=actor_of(request),
                )
            except ImporterError as refused:
                problem = say(refused.message)
            else:
                if run.is_known:
                    messages.info(request, _known(selectors.run(run.id).imported))
                return redirect("web:import_run", run_id=run.id)
    after = id_of(request.GET.get("nach", ""))
    page = selectors.recent(after=after)
    context = {
        "section": "imports",
        "problem": problem,
        "page": page,
        "columns": COLUMNS,
        "first_url": reverse("web:imports") if after else "",
        "next_url": f"{reverse('web:imports')}?nach={page.next}" if page.next else "",
    }
    return render(request, "web/imports.html", context, status=400 if problem else 200)


def _known(imported: int) -> str:
    if not imported:
        return _("Diese Datei ist schon eingelesen. Hier geht es mit ihr weiter.")
    return ngettext(
        "Diese Datei ist schon eingelesen: %(n)s Ersuchen ist schon früher übernommen. Es entsteht "
        "kein zweites.",
        "Diese Datei ist schon eingelesen: %(n)s Ersuchen sind schon früher übernommen. Keines "
        "entsteht doppelt.",
        imported,
    ) % {"n": imported}


@require_safe
def show(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show where a file stands: being checked, checked, being worked off, done."""
    policies.require_worker(actor_of(request))
    run = selectors.run(run_id)
    part, state = _part(request, run)
    here = reverse("web:import_run", args=[run_id])
    is_under_way = run.state in _UNDER_WAY
    after = number_of(request.GET.get("nach", ""))
    page = selectors.read_rows(
        run_id, state=state, by=actor_of(request), after=str(after) if after else None
    )
    stay = f"{here}?zeilen={part}"
    context: dict[str, Any] = {
        "section": "imports",
        "run": run,
        "is_under_way": is_under_way,
        "sending": None
        if is_under_way
        else selectors.read_sending(run_id, by=actor_of(request), limit=_DRAFTS_SHOWN),
        "changed": selectors.changed_count(run_id) if run.repeated else 0,
        "changed_url": f"{here}?zeilen=bekannt#zeilen",
        "percent": 100 * run.rows_done // run.rows_to_do if run.rows_to_do else 0,
        "part": part,
        "parts": list(_parts(run, part, here)),
        "page": page,
        "first_url": stay if after else "",
        "next_url": f"{stay}&nach={page.next}" if page.next else "",
    }
    return render(request, "web/import.html", context)


def _part(request: HttpRequest, run: RunView) -> tuple[str, RowState]:
    """Return which rows are shown: those asked for, else the first kind that there is."""
    asked = request.GET.get("zeilen")
    for key, state, _title in _PARTS:
        if key == asked or (asked is None and getattr(run, state.value)):
            return key, state
    return _PARTS[0][:2]


def _parts(run: RunView, current: str, here: str) -> Iterator[dict[str, Any]]:
    for key, state, title in _PARTS:
        count = getattr(run, state.value)
        if count or key == current:
            url = f"{here}?zeilen={key}#zeilen"
            yield {"title": title, "count": count, "url": url, "is_current": key == current}


@require_POST
def decide(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Let a checked file be worked off, or throw it away."""
    by = actor_of(request)
    selectors.run(run_id)
    try:
        match request.POST.get("action"):
            case "submit":
                services.confirm(run_id=run_id, submit=True, by=by)
            case "drafts":
                services.confirm(run_id=run_id, submit=False, by=by)
            case "discard":
                services.discard(run_id=run_id, by=by)
                messages.success(request, _("Die Datei ist verworfen. Nichts wurde übernommen."))
                return redirect("web:imports")
            case _:
                messages.error(request, _("Wählen Sie, was mit der Datei geschehen soll."))
    except ImporterError as refused:
        messages.error(request, say(refused.message))
    return redirect("web:import_run", run_id=run_id)


@require_POST
def choose(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Decide to which authority a row goes."""
    selectors.run(run_id)
    line = number_of(request.POST.get("line", ""))
    authority = id_of(request.POST.get("authority", ""))
    try:
        if authority is None:
            messages.error(request, _("Wählen Sie eine Behörde aus."))
        else:
            services.choose(run_id=run_id, line=line, authority_id=authority, by=actor_of(request))
            messages.success(request, _("Zeile %(line)s ist entschieden.") % {"line": line})
    except ImporterError as refused:
        messages.error(request, say(refused.message))
    return redirect(f"{reverse('web:import_run', args=[run_id])}?zeilen=offen")


@require_safe
def faults(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """Hand out the rows that were not taken, as a file to mend and give again."""
    policies.require_worker(actor_of(request))
    run = selectors.run(run_id)
    response = StreamingHttpResponse(
        carry(selectors.read_faults(run_id, by=actor_of(request))),
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="fehler-{run.created_at:%Y%m%d}.csv"'
    return response


@require_safe
def template(request: HttpRequest) -> HttpResponse:
    """Hand out an empty file with all columns."""
    policies.require_worker(actor_of(request))
    target = io.StringIO()
    csv.writer(target, delimiter=";").writerow([column.header for column in COLUMNS])
    return HttpResponse(
        "\ufeff" + target.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="ersuchen-vorlage.csv"'},
    )

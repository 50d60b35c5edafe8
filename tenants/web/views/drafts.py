"""A request from the first line to its submission: write, save, check, submit."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from centre.kernel import clock
from tenants.cases import selectors, services
from tenants.cases.drafts import Contact, RequestDraft
from tenants.cases.errors import CaseChanged, DraftInvalid, StepNotPossible
from tenants.cases.faults import Fault
from tenants.cases.graph import State
from tenants.cases.readiness import what_is_missing
from tenants.cases.validation import errors as severe
from tenants.cases.validation import validate
from tenants.web import authorities, once
from tenants.web.forms.sheet import Sheet
from tenants.web.layout import SECTIONS, mistakes, suggested
from tenants.web.phrases import say
from tenants.web.requests import actor_of, clerk_of, version_of
from tenants.web.views.errors import conflict


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Begin a request. It exists from the first time it is saved."""
    blank = RequestDraft(contact=Contact(name=clerk_of(request).name))
    if request.method == "GET":
        begun = selectors.read_suggestions(by=actor_of(request))
        anchors = suggested(begun)
        if begun.contact == Contact():
            begun = replace(begun, contact=blank.contact)
        return _page(request, Sheet(begun), suggested=anchors)
    sheet = Sheet(blank, request.POST)
    if not _is_handed_in(request, sheet):
        return _page(request, sheet)
    with once.guarded(request) as earlier:
        if earlier:
            return redirect(earlier)
        case = services.create_draft(draft=_drafted(request, sheet), by=actor_of(request))
        return _go_on(request, case.id)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Go on with a draft."""
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    if view.state is not State.DRAFT:
        return redirect("web:case", case_id=case_id)
    if request.method == "GET":
        sheet = Sheet(view.request)
        if "fehler" in request.GET:
            sheet = _marked(view.request, what_is_missing(view.request))
        return _page(request, sheet, case_id=case_id, version=view.version)
    version = version_of(request)
    sheet = Sheet(view.request, request.POST)
    if not _is_handed_in(request, sheet):
        return _page(request, sheet, case_id=case_id, version=version)
    with once.guarded(request) as earlier:
        if earlier:
            return redirect(earlier)
        try:
            services.update_draft(
                case_id=case_id,
                version=version,
                draft=_drafted(request, sheet),
                by=actor_of(request),
            )
        except CaseChanged as changed:
            return conflict(request, say(changed.message), back=request.path)
        return _go_on(request, case_id)


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Correct a request that could not be delivered, and send it again."""
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    if request.method == "GET":
        return _page(request, Sheet(view.request), version=view.version, corrects=case_id)
    version = version_of(request)
    sheet = Sheet(view.request, request.POST)
    if _is_handed_in(request, sheet):
        here = reverse("web:case", args=[case_id])
        with once.guarded(request) as earlier:
            if earlier:
                return redirect(earlier)
            try:
                services.resubmit(
                    case_id=case_id, version=version, draft=sheet.draft(), by=actor_of(request)
                )
            except DraftInvalid as invalid:
                sheet.mark(severe(invalid.faults))
            except (CaseChanged, StepNotPossible) as late:
                return conflict(request, say(late.message), back=here)
            else:
                messages.success(request, _("Das Ersuchen ist erneut unterwegs."))
                once.done(request, here)
                return redirect(here)
    return _page(request, sheet, version=version, corrects=case_id)


def _marked(draft: RequestDraft, faults: Iterable[Fault]) -> Sheet:
    """Return the sheet as if its stored content had just been typed, with what is wrong with it."""
    bound = Sheet(draft, Sheet(draft).as_typed())
    bound.is_readable()
    bound.mark(faults)
    return bound


def _is_handed_in(request: HttpRequest, sheet: Sheet) -> bool:
    """Say whether the sheet was meant to be saved, and can be.

    If it was to be checked as well and cannot be read, all else that is wrong is marked, too.
    """
    action = request.POST.get("action")
    if action not in {"save", "check"} or sheet.is_changed:
        return False
    readable = sheet.is_readable()
    if not readable and action == "check":
        sheet.mark(what_is_missing(_drafted(request, sheet)))
    return readable


def _drafted(request: HttpRequest, sheet: Sheet) -> RequestDraft:
    """Return what the sheet says; if nobody chose an authority, with the one that is competent."""
    draft = sheet.draft()
    if draft.requested_authority is None and (competent := _choices(request, sheet).chosen):
        return replace(draft, requested_authority=competent.id)
    return draft


def _go_on(request: HttpRequest, case_id: UUID) -> HttpResponse:
    if request.POST.get("action") == "check":
        response = redirect("web:draft_check", case_id=case_id)
    else:
        messages.success(request, _("Der Entwurf ist gespeichert."))
        response = redirect("web:draft_edit", case_id=case_id)
    once.done(request, response.url)
    return response


def _page(
    request: HttpRequest,
    sheet: Sheet,
    *,
    case_id: UUID | None = None,
    version: int = 0,
    corrects: UUID | None = None,
    suggested: Collection[str] = (),
) -> HttpResponse:
    context: dict[str, Any] = {
        "sheet": sheet,
        "sections": [section.bound(sheet) for section in SECTIONS],
        "suggested": suggested,
        "mistakes": mistakes(sheet),
        "choices": _choices(request, sheet),
        "search": request.POST.get("search", ""),
        "case_id": case_id,
        "corrects": corrects,
        "version": version,
        "once": once.token(),
        "section": "" if case_id or corrects else "draft",
    }
    status = 400 if request.method == "POST" and sheet.is_faulty and not sheet.is_changed else 200
    return render(request, "web/draft.html", context, status=status)


def _choices(request: HttpRequest, sheet: Sheet) -> authorities.Choices:
    first = sheet.debtors.parts[0].form
    return authorities.choices(
        postcode=str(first["address__postcode"].value() or "").strip(),
        place=str(first["address__place"].value() or "").strip(),
        search=request.POST.get("search", "").strip(),
        chosen=sheet.authority,
    )


@require_POST
def authority(request: HttpRequest) -> HttpResponse:
    """Return the part of the sheet that offers authorities, for the address typed so far."""
    sheet = Sheet(RequestDraft(), request.POST)
    context = {"choices": _choices(request, sheet), "search": request.POST.get("search", "")}
    return render(request, "web/parts/authority.html", context)


@require_safe
def check(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Show the whole request once more, or what is still missing."""
    view = selectors.read_case(case_id=case_id, by=actor_of(request))
    if view.state is not State.DRAFT:
        return redirect("web:case", case_id=case_id)
    missing = what_is_missing(view.request)
    faults = validate(view.request, today=clock.today())
    context = {
        "case": view,
        "draft": view.request,
        # What stops a request is missing from it; what a field could not show does not.
        "mistakes": mistakes(_marked(view.request, missing)) if missing else [],
        "warnings": [fault for fault in faults if fault.warning],
        "once": once.token(),
        "danger_inline": True,
        "may_see_blocked": True,
    }
    return render(request, "web/draft_check.html", context)


@require_POST
def submit(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Hand the request over."""
    check_page = reverse("web:draft_check", args=[case_id])
    here = reverse("web:case", args=[case_id])
    with once.guarded(request) as earlier:
        if earlier:
            return redirect(earlier)
        try:
            services.submit_draft(
                case_id=case_id, version=version_of(request), by=actor_of(request)
            )
        except DraftInvalid:
            return redirect(check_page)
        except (CaseChanged, StepNotPossible) as late:
            return conflict(request, say(late.message), back=check_page)
        messages.success(
            request, _("Das Ersuchen ist übermittelt. Die Quittung des Empfängers erscheint hier.")
        )
        once.done(request, here)
        return redirect(here)


@require_POST
def delete(request: HttpRequest, case_id: UUID) -> HttpResponse:
    services.delete_draft(case_id=case_id, version=version_of(request), by=actor_of(request))
    messages.success(request, _("Der Entwurf ist gelöscht."))
    return redirect("web:worklist")

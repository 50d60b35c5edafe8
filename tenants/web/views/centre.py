"""The centre's own host name: which municipalities are here, and where their pages are."""

from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from centre.registry import selectors
from tenants.web.numbered import page_of, search_of

PAGE_SIZE: Final = 120


@login_not_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Lead to the list; a municipality's own pages are on its own host name only."""
    del request
    return redirect("municipalities")


@login_not_required
@require_safe
def municipalities(request: HttpRequest) -> HttpResponse:
    """Show the municipalities of this centre with the addresses of their pages."""
    host = request.get_host()
    found = selectors.active(search=search_of(request))
    page, context = page_of(request, found, size=PAGE_SIZE)
    context["places"] = [
        {"name": each.name, "url": f"{request.scheme}://{each.slug}.{host}/"} for each in page
    ]
    context["is_long"] = bool(context["search"]) or page.has_other_pages()
    return render(request, "web/municipalities.html", context)


@login_not_required
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an address that the centre's own host name does not have."""
    del exception
    return render(request, "web/municipalities.html", {"is_missing": True}, status=404)

"""Lists that are searched and shown in numbered pages."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest


def search_of(request: HttpRequest) -> str:
    """Return what is searched for."""
    return request.GET.get("suche", "").strip()[:100]


def page_of[T: Model](
    request: HttpRequest, found: QuerySet[T], *, size: int
) -> tuple[Page[T], dict[str, Any]]:
    """Return the page that is asked for, and what the template says of it and of the search."""
    search = search_of(request)
    page = Paginator(found, size).get_page(request.GET.get("seite"))

    def url(number: int) -> str:
        return f"?{urlencode({'suche': search, 'seite': number})}"

    return page, {
        "page": page,
        "search": search,
        "found": page.paginator.count,
        "first_url": url(1) if page.has_previous() else "",
        "next_url": url(page.next_page_number()) if page.has_next() else "",
    }

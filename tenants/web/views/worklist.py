"""The list a working day begins with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from tenants.cases import selectors
from tenants.cases.selectors import Counts, Filters
from tenants.clerks.roles import Role
from tenants.web.forms.filters import FilterForm
from tenants.web.requests import actor_of, clerk_of, id_of

PAGE_SIZE = 50
SORTS: Final = (
    ("urgency", _("Dringlichkeit")),
    ("age", _("Älteste zuerst")),
    ("newest", _("Neueste zuerst")),
    ("due", _("Frist")),
)


@dataclass(frozen=True)
class Tab:
    """A part of the list."""

    key: str
    tab: str
    title: Any
    empty_title: Any
    empty_text: Any


TABS: Final = (
    Tab(
        "aufgaben",
        "todo",
        _("Zu tun"),
        _("Alles erledigt"),
        _("Zurzeit wartet nichts auf Sie. Neues steht hier, wenn Sie die Seite neu laden."),
    ),
    Tab(
        "eingang",
        "inbox",
        _("Eingang"),
        _("Kein offenes Ersuchen"),
        _("Ersuchen anderer Behörden an Ihre Kommune erscheinen hier, sobald sie eingehen."),
    ),
    Tab(
        "ausgang",
        "sent",
        _("Ausgang"),
        _("Noch kein Ersuchen gestellt"),
        _("Ersuchen Ihrer Kommune an andere Behörden stehen hier, bis sie abgeschlossen sind."),
    ),
    Tab(
        "entwuerfe",
        "drafts",
        _("Entwürfe"),
        _("Kein Entwurf"),
        _("Was Sie erfasst, aber noch nicht übermittelt haben, steht hier."),
    ),
    Tab(
        "still",
        "silent",
        _("Ohne Antwort"),
        _("Niemand schweigt"),
        _("Hier stehen Ersuchen, zu denen die andere Behörde lange nichts gemeldet hat."),
    ),
    Tab(
        "unzustellbar",
        "undeliverable",
        _("Unzustellbar"),
        _("Alles zugestellt"),
        _("Hier stehen Ersuchen, die nicht zugestellt werden konnten, mit dem Grund."),
    ),
    Tab(
        "abgeschlossen",
        "closed",
        _("Abgeschlossen"),
        _("Noch nichts abgeschlossen"),
        _("Abgeschlossene Vorgänge bleiben hier lesbar."),
    ),
    Tab(
        "alle",
        "all",
        _("Alle"),
        _("Noch kein Vorgang"),
        _("Sobald Sie ein Ersuchen stellen oder erhalten, steht es hier."),
    ),
)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    tab = next((each for each in TABS if each.key == request.GET.get("stand")), TABS[0])
    search = request.GET.get("suche", "").strip()[:100]
    sort = request.GET.get("folge", "")
    sort = sort if sort in dict(SORTS) else SORTS[0][0]
    after = request.GET.get("nach") or None
    chosen = id_of(request.GET.get("behoerde", ""))
    form = FilterForm(request.GET, authorities=selectors.authorities(chosen=chosen))
    form.is_valid()
    filters = _filters(tab, search, form.chosen())
    page = selectors.read_worklist(
        filters=filters, sort=sort, after=after, limit=PAGE_SIZE, by=actor_of(request)
    )
    counts = selectors.counts(filters)
    stay = {"suche": search, **form.address(), "folge": sort}
    here = {"stand": tab.key, **stay}
    context = {
        "tab": tab,
        "tabs": list(_tabs(tab, stay, counts, narrow=filters.narrow)),
        "form": form,
        "chips": list(_chips(form, here)),
        "found": counts.by_tab[tab.tab],
        "page": page,
        "search": search,
        "sort": sort,
        "sorts": SORTS,
        "may_pick": clerk_of(request).may(Role.CASEWORKER)
        and tab.tab in {"todo", "inbox"}
        and any(row.can_accept for row in page.rows),
        "next_url": _url(here, nach=page.next) if page.next else "",
        "first_url": _url(here) if after else "",
        "everything": _url({"stand": "alle"}),
        "everywhere": _url({**here, "stand": "alle"}) if tab.tab != "all" else "",
        "bare": _url({"stand": tab.key, "folge": sort}),
        "section": "worklist",
    }
    return render(request, "web/worklist.html", context)


def _filters(tab: Tab, search: str, chosen: dict[str, Any]) -> Filters:
    states = (chosen.pop("state"),) if "state" in chosen else ()
    absent = selectors.absent_authorities()
    return Filters(tab=tab.tab, search=search, states=states, absent=absent, **chosen)


def _tabs(
    current: Tab, stay: Mapping[str, str], counts: Counts, *, narrow: bool
) -> Iterator[dict[str, Any]]:
    """Yield the parts: what narrows one narrows all, so each counts what its link shows."""
    for tab in TABS:
        number = counts.by_tab[tab.tab] if narrow or tab.tab != "all" else None
        url = _url({"stand": tab.key, **stay})
        yield {"title": tab.title, "url": url, "count": number, "is_current": tab is current}


def _chips(form: FilterForm, here: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what narrows the list, each with the address of the list without it."""
    if search := here["suche"]:
        yield {"label": _("Suche"), "words": search, "url": _url({**here, "suche": ""})}
    for name in form.chosen():
        yield {
            "label": form.fields[name].label,
            "words": form.words(name),
            "url": _url({**here, form.add_prefix(name): ""}),
        }


def _url(stay: Mapping[str, str], **more: str) -> str:
    kept = {key: value for key, value in {**stay, **more}.items() if value}
    return f"{reverse('web:worklist')}?{urlencode(kept)}"

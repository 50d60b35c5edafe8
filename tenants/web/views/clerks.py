"""Accounts of the municipality, for those who keep them."""

import secrets
from typing import Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.clerks import selectors, services
from tenants.clerks.errors import ClerkError, ClerkNotAllowed, LoginInvalid, LoginTaken
from tenants.clerks.roles import Role
from tenants.web.forms.clerks import ChangeForm, CreateForm
from tenants.web.numbered import page_of, search_of
from tenants.web.phrases import say
from tenants.web.requests import actor_of, clerk_of

PAGE_SIZE: Final = 50


def _administrators_only(request: HttpRequest) -> None:
    if not clerk_of(request).may(Role.ADMINISTRATOR):
        raise ClerkNotAllowed


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    _administrators_only(request)
    found = selectors.clerks(search=search_of(request))
    _page, context = page_of(request, found, size=PAGE_SIZE)
    context["section"] = "clerks"
    return render(request, "web/clerks.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    _administrators_only(request)
    form = CreateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        password = _temporary_password()
        try:
            clerk = services.create_clerk(
                login=form.cleaned_data["login"],
                name=form.cleaned_data["name"],
                role=Role(form.cleaned_data["role"]),
                password=password,
                by=actor_of(request),
            )
        except (LoginTaken, LoginInvalid) as refused:
            form.add_error("login", say(refused.message))
        else:
            return _password_page(request, clerk.name, clerk.login, password)
    return _form_page(request, form, _("Zugang anlegen"))


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, clerk_id: UUID) -> HttpResponse:
    _administrators_only(request)
    clerk = selectors.clerk(clerk_id=clerk_id)
    form = ChangeForm(request.POST or None, initial={"name": clerk.name, "role": clerk.role})
    if request.method == "POST" and form.is_valid():
        try:
            services.change_clerk(
                clerk_id=clerk_id,
                name=form.cleaned_data["name"],
                role=Role(form.cleaned_data["role"]),
                by=actor_of(request),
            )
        except ClerkError as refused:
            form.add_error(None, say(refused.message))
        else:
            messages.success(request, _("Der Zugang ist geändert."))
            return redirect("web:clerks")
    return _form_page(request, form, clerk.name, account=clerk)


@require_POST
def switch(request: HttpRequest, clerk_id: UUID) -> HttpResponse:
    """Close an account, open it again, or give it a new password for the next visit."""
    _administrators_only(request)
    clerk = selectors.clerk(clerk_id=clerk_id)
    try:
        match request.POST.get("action"):
            case "close":
                services.close_account(clerk_id=clerk_id, by=actor_of(request))
                messages.success(request, _("Der Zugang ist geschlossen."))
            case "reopen":
                services.reopen_account(clerk_id=clerk_id, by=actor_of(request))
                messages.success(request, _("Der Zugang ist wieder offen."))
            case "password":
                password = _temporary_password()
                services.reset_password(clerk_id=clerk_id, password=password, by=actor_of(request))
                return _password_page(request, clerk.name, clerk.login, password)
            case _:
                messages.error(request, _("Wählen Sie aus, was mit dem Zugang geschehen soll."))
    except ClerkError as refused:
        messages.error(request, say(refused.message))
    return redirect("web:clerks")


def _temporary_password() -> str:
    """Return a password that can be read out over the telephone; it must be replaced at once."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _each in range(4)) for _part in range(4))


def _form_page(request: HttpRequest, form: forms.Form, title: str, **more: object) -> HttpResponse:
    context = {"form": form, "title": title, "section": "clerks", **more}
    return render(request, "web/clerk.html", context, status=400 if form.errors else 200)


def _password_page(request: HttpRequest, name: str, login: str, password: str) -> HttpResponse:
    context = {"name": name, "login": login, "password": password, "section": "clerks"}
    response = render(request, "web/clerk_password.html", context)
    response["Cache-Control"] = "no-store"
    return response

"""Coming in, going out, changing the password."""

from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from centre.kernel import clock
from tenants.clerks import services
from tenants.clerks.errors import PasswordRefused, Refusal, SignInRefused
from tenants.web import sessions
from tenants.web.forms.session import PasswordForm, SignInForm
from tenants.web.requests import clerk_of

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_destination(request))
    form = SignInForm(request.POST or None)
    status, refusal = 200, ""
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                clerk = services.sign_in(
                    login=form.cleaned_data["login"],
                    password=form.cleaned_data["password"],
                    address=request.META.get("REMOTE_ADDR", ""),
                )
            except SignInRefused as refused:
                status, refusal = _refusal(refused)
            else:
                auth.login(request, clerk, backend=_BACKEND)
                sessions.begin(request)
                return redirect(_destination(request))
    ended = request.session.pop("ended", False)
    context = {
        "form": form,
        "refusal": refusal,
        "ended": ended,
        "next": request.POST.get("next", request.GET.get("next", "")),
    }
    return render(request, "web/sign_in.html", context, status=status)


def _refusal(refused: SignInRefused) -> tuple[int, str]:
    """Return status and words. Whether the login exists is not to be learned from them."""
    if refused.why is not Refusal.LOCKED or refused.until is None:
        return 401, _("Benutzername oder Kennwort ist falsch. Prüfen Sie die Feststelltaste.")
    until = timezone.localtime(refused.until)
    return 429, _(
        "Zu viele Fehlversuche. Die Anmeldung ist bis %(time)s Uhr gesperrt. Wenn Sie das nicht "
        "waren, sagen Sie der Person Bescheid, die in Ihrer Kommune die Zugänge verwaltet."
    ) % {"time": f"{until:%H:%M}"}


def _refusal_of_old(refused: SignInRefused) -> str:
    if refused.why is Refusal.LOCKED:
        return _refusal(refused)[1]
    return _("Das bisherige Kennwort ist falsch.")


def _destination(request: HttpRequest) -> str:
    """Return where to go on: the page that was asked for, if it is one of this host."""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    # A word without a slash would be taken for the name of a view.
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return "web:worklist"


@sessions.before_password_change
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.sign_out(clerk=clerk_of(request))
    auth.logout(request)
    messages.success(request, _("Sie sind abgemeldet."))
    return redirect("web:sign_in")


@sessions.before_password_change
@never_cache
@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in and let them choose another password."""
    clerk = clerk_of(request)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_password(
                clerk=clerk, old=form.cleaned_data["old"], new=form.cleaned_data["new"]
            )
        except SignInRefused as refused:
            form.add_error("old", _refusal_of_old(refused))
        except PasswordRefused as refused:
            for fault in refused.faults:
                form.add_error("new", fault)
        else:
            clerk.refresh_from_db()
            auth.update_session_auth_hash(request, clerk)
            sessions.begin(request)
            messages.success(request, _("Ihr Kennwort ist geändert."))
            return redirect("web:worklist")
    status = 400 if form.errors else 200
    context = {"form": form, "forced": clerk.must_change_password, "until": clock.now()}
    return render(request, "web/account.html", context, status=status)

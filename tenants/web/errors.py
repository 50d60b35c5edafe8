"""Errors of the domain become pages that say what to do."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from federation.outbox.errors import BacklogFull
from tenants.cases.errors import CaseError, CaseNotFound, NotAllowed
from tenants.clerks.errors import ClerkNotAllowed, ClerkNotFound
from tenants.documents.errors import DocumentNotFound
from tenants.importers.errors import RunNotFound
from tenants.web.phrases import say
from tenants.web.views import errors

_RETRY_SECONDS = 60
log = structlog.get_logger(__name__)


class ErrorsInWords:
    """Answers what a page let through: 403, 404, 409 and 429 instead of a fault of the program."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        match exception:
            case CaseNotFound() | ClerkNotFound() | DocumentNotFound() | RunNotFound():
                return errors.page_not_found(request, exception)
            case NotAllowed() | ClerkNotAllowed():
                return errors.permission_denied(request, exception)
            case BacklogFull():
                return errors.too_many(
                    request,
                    _("Zu viele Nachrichten warten schon auf das Rechenzentrum des Empfängers."),
                    retry_after=_RETRY_SECONDS,
                )
            case CaseError():
                log.info("page_refused", reason=exception.reason)
                return errors.conflict(request, say(exception.message))
            case _:
                return None

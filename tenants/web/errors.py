"""Errors of the domain become pages that say what to do."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponseBase

from centre.directory.errors import DirectoryMissing
from federation.outbox.errors import BacklogFull, RecipientUnreachable
from tenants.cases.errors import CaseError, CaseNotFound, NotAllowed
from tenants.clerks.errors import ClerkNotAllowed, ClerkNotFound
from tenants.documents.errors import DocumentBroken, DocumentNotFound, DocumentUnavailable
from tenants.importers.errors import RunNotFound
from tenants.web.phrases import in_words
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
                return errors.too_many(request, in_words(exception), retry_after=_RETRY_SECONDS)
            case CaseError() | RecipientUnreachable() | DirectoryMissing():
                log.info("page_refused", reason=exception.reason)
                return errors.conflict(request, in_words(exception))
            case DocumentUnavailable():
                broken = isinstance(exception, DocumentBroken)
                page = errors.broken if broken else errors.unavailable
                return page(request, in_words(exception))
            case _:
                return None

"""Timers of the directory."""

import structlog
from celery import shared_task
from django.conf import settings

from centre.directory import selectors
from centre.directory.errors import DirectoryError
from centre.kernel.actors import system
from federation.links.errors import LinkError
from federation.sync import services

log = structlog.get_logger(__name__)


@shared_task(scope="centre", name="sync.fetch_first_directory")  # type: ignore[untyped-decorator]
def fetch_first_directory() -> None:
    """Fetch a directory where there is none yet: a new centre shall not wait for minutes."""
    if selectors.present() is None:
        fetch_directory()


@shared_task(scope="centre", name="sync.fetch_directory")  # type: ignore[untyped-decorator]
def fetch_directory() -> None:
    """Bring the directory up to date. Nobody reachable is no fault: routing goes on."""
    if not settings.AMTSBRUECKE.umbrella_endpoint:
        return
    try:
        services.fetch_directory(by=system("directory sync"))
    except (DirectoryError, LinkError) as error:
        log.warning("directory stays as it is", reason=error.reason, detail=error.message)
    services.warn_of_age()

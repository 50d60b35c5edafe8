"""Imports in the background: woken by the page, and looked for every minute in case nobody was."""

import structlog
from celery import shared_task

from centre.registry import selectors as registry
from centre.tenancy.context import tenant_scope
from tenants.importers import services

log = structlog.get_logger(__name__)


@shared_task(scope="tenant", name="importers.work_off")  # type: ignore[untyped-decorator]
def work_off() -> None:
    """Do what is due in one municipality."""
    services.work_off()


@shared_task(scope="centre", name="importers.look_around")  # type: ignore[untyped-decorator]
def look_around() -> None:
    """Find what no wake-up has told: the broker may have lost it."""
    for municipality in registry.active():
        try:
            with tenant_scope(municipality):
                services.work_off()
        except Exception:  # one town's trouble must not keep the others waiting
            log.exception("imports wait", tenant=municipality.slug)

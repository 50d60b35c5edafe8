"""Imports in the background: woken by the page, and looked for every minute in case nobody was."""

from celery import shared_task

from centre.registry import selectors as registry
from centre.tenancy.context import tenant_scope
from tenants.importers import services


@shared_task(scope="tenant", name="importers.work_off")  # type: ignore[untyped-decorator]
def work_off() -> None:
    """Do what is due in one municipality."""
    services.work_off()


@shared_task(scope="centre", name="importers.look_around")  # type: ignore[untyped-decorator]
def look_around() -> None:
    """Find what no wake-up has told: the broker may have lost it."""
    for municipality in registry.active():
        with tenant_scope(municipality):
            services.work_off()

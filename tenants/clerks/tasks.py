"""Housekeeping of accounts, in every municipality."""

import structlog
from celery import shared_task

from centre.registry import selectors as registry
from tenants.clerks import services

log = structlog.get_logger(__name__)


@shared_task(name="clerks.clear_sessions", scope="centre")  # type: ignore[untyped-decorator]
def clear_sessions() -> None:
    """Delete sessions that have ended, municipality by municipality."""
    cleared = sum(services.clear_sessions(municipality=each) for each in registry.active())
    if cleared:
        log.info("sessions cleared", count=cleared)

"""The outbox's part of the worker."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings

from federation.outbox import outcomes, tidying

log = structlog.get_logger(__name__)


@shared_task(scope="centre", name="outbox.deliver_outcomes")  # type: ignore[untyped-decorator]
def deliver_outcomes() -> None:
    """Tell tenants of receipts, refusals and expiry."""
    outcomes.deliver_due()


@shared_task(scope="centre", name="outbox.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """Delete what nobody needs any more; letters and receipts stay."""
    days = settings.AMTSBRUECKE.keep_attempts_days
    if deleted := tidying.delete_attempts(older_than=timedelta(days=days)):
        log.info("attempts deleted", count=deleted)

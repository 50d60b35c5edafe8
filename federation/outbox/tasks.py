"""The outbox's part of the worker."""

from celery import shared_task

from federation.outbox import outcomes


@shared_task(scope="centre", name="outbox.deliver_outcomes")  # type: ignore[untyped-decorator]
def deliver_outcomes() -> None:
    """Tell tenants of receipts, refusals and expiry."""
    outcomes.deliver_due()

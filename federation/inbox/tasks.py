"""The worker's door to the inbox. No payload: the database says what is due."""

from datetime import timedelta

from celery import shared_task

from federation.inbox import gaps, processing

_BUDGET = timedelta(seconds=20)


@shared_task(name="inbox.apply_due_messages", scope="centre")  # type: ignore[untyped-decorator]
def apply_due_messages() -> None:
    """Apply what is due, and come again at once if there was more than fits into one task."""
    if processing.apply_due_messages(budget=_BUDGET):
        apply_due_messages.delay()


@shared_task(name="inbox.watch_gaps", scope="centre")  # type: ignore[untyped-decorator]
def watch_gaps() -> None:
    """Raise an alarm for messages that wait too long for an earlier one."""
    gaps.raise_alarms()

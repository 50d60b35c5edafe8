"""Housekeeping of documents."""

from datetime import timedelta

import structlog
from celery import shared_task

from federation.blobs import services

#: Longer than any message may wait for its document.
_ABANDONED_AFTER = timedelta(days=14)

log = structlog.get_logger(__name__)


@shared_task(name="blobs.clear_abandoned", scope="centre")  # type: ignore[untyped-decorator]
def clear_abandoned_blobs() -> None:
    """Clear away documents that were never finished or never named."""
    if cleared := services.clear_abandoned(older_than=_ABANDONED_AFTER):
        log.info("abandoned blobs cleared", blobs=cleared)

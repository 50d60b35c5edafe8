"""Housekeeping of documents."""

from datetime import timedelta

import structlog
from celery import shared_task

from federation.blobs import services
from federation.blobs.errors import BlobError

#: Longer than any message may wait for its document.
_ABANDONED_AFTER = timedelta(days=14)
#: Longer than any transaction that stores a document.
_LEFT_BEHIND_AFTER = timedelta(days=1)

log = structlog.get_logger(__name__)


@shared_task(name="blobs.clear_abandoned", scope="centre")  # type: ignore[untyped-decorator]
def clear_abandoned_blobs() -> None:
    """Clear away documents that were never finished or never named."""
    if cleared := services.clear_abandoned(older_than=_ABANDONED_AFTER):
        log.info("abandoned blobs cleared", blobs=cleared)


@shared_task(name="blobs.look_after_files", scope="centre")  # type: ignore[untyped-decorator]
def look_after_files() -> None:
    """Clear away files that belong to no document, and tell of documents whose file is gone."""
    try:
        if swept := services.sweep_files(older_than=_LEFT_BEHIND_AFTER):
            log.info("files without a document swept", files=swept)
        if missing := services.count_missing_files():
            log.error("documents without their file", documents=missing)
    except BlobError as error:
        log.warning("documents cannot be looked after", error=error.message)

"""The directory in force, for processes with Django."""

import threading
import time
from typing import Final

from django.conf import settings
from django.db.models import Max

from centre.directory import encoding
from centre.directory.errors import DirectoryMissing
from centre.directory.interface import Directory
from centre.directory.models import DirectorySnapshot

__all__ = ["Directory", "current", "forget", "present", "signed_snapshot"]

_CHECK_SECONDS: Final = 1.0
_lock = threading.Lock()
_known: Directory | None = None
_checked_at = float("-inf")


def current() -> Directory:
    """Return the newest verified version; raise `DirectoryMissing` where there is none yet.

    Asks the database at most once a second for the version (`DIRECTORY_CHECK_SECONDS`), and reads
    the directory only when that has changed.
    """
    if (directory := present()) is None:
        raise DirectoryMissing
    return directory


def present() -> Directory | None:
    """Return the newest verified version, or None."""
    global _known, _checked_at  # noqa: PLW0603 -- one cache for the process
    moment = time.monotonic()
    wait = getattr(settings, "DIRECTORY_CHECK_SECONDS", _CHECK_SECONDS)
    if _known is not None and moment - _checked_at < wait:
        return _known
    version = DirectorySnapshot.objects.aggregate(newest=Max("version"))["newest"]
    if version is None:
        return None
    row = DirectorySnapshot.objects.only("version", "digest").get(version=version)
    with _lock:
        if _known is None or (_known.version, _known.digest) != (version, row.digest):
            signed = bytes(row.signed)
            _known = Directory(encoding.read_trusted(signed), digest=row.digest)
        _checked_at = moment
        return _known


def forget() -> None:
    """Ask the database again at the next call."""
    global _known, _checked_at
    with _lock:
        _known, _checked_at = None, float("-inf")


def signed_snapshot(version: int | None = None) -> tuple[int, bytes] | None:
    """Return version and signed bytes of one version or the newest, as they were verified."""
    rows = DirectorySnapshot.objects.order_by("-version")
    if version is not None:
        rows = rows.filter(version=version)
    row = rows.first()
    return (row.version, bytes(row.signed)) if row else None

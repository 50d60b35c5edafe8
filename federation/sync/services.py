"""Keeps this installation's directory up to date."""

from collections.abc import Iterator
from pathlib import Path

import structlog
from django.conf import settings

from centre.directory import selectors
from centre.directory import services as directory
from centre.directory.errors import DirectoryError
from centre.directory.interface import AgeGrade, Directory
from centre.directory.records import ACTIVE
from centre.kernel.actors import Actor
from federation.links.errors import CredentialsUnreadable
from federation.sync import client
from federation.sync.client import FetchFailed, Source

log = structlog.get_logger(__name__)


def fetch_directory(*, by: Actor) -> int:
    """Fetch and apply the newest directory; return the version in force (0: none yet).

    The umbrella organisation is asked first, then the other centres. Raises `FetchFailed` if nobody
    answers, and the error of the last snapshot if all that came is unusable; what is in force
    stays in force.
    """
    present = selectors.present()
    known = present.version if present else 0
    problem: Exception | None = None
    for source in _sources(present):
        try:
            signed = client.fetch(source, tls_directory=_tls_directory(), known_version=known)
            return directory.apply(signed=signed, by=by) if signed is not None else known
        except (FetchFailed, DirectoryError) as error:
            log.warning("directory not fetched", endpoint=source.endpoint, reason=error.reason)
            problem = error
    if problem is not None:
        raise problem
    return known


def warn_of_age() -> AgeGrade | None:
    """Log how old the directory is, where that deserves an operator's look."""
    present = selectors.present()
    if present is None:
        return None
    grade = present.age_grade()
    if grade is not AgeGrade.FRESH:
        tell = log.warning if grade is AgeGrade.STALE else log.error
        tell("directory is old", grade=grade.value, version=present.version)
    return grade


def _tls_directory() -> Path:
    tls_directory = settings.AMTSBRUECKE.tls_dir
    if tls_directory is None:
        raise CredentialsUnreadable("AMTSBRUECKE_TLS_DIR names no folder.")
    return Path(tls_directory)


def _sources(present: Directory | None) -> Iterator[Source]:
    if settings.AMTSBRUECKE.umbrella_endpoint:
        yield Source(settings.AMTSBRUECKE.umbrella_endpoint)
    for centre in present.centres.values() if present else ():
        if centre.id != settings.AMTSBRUECKE.centre and centre.state == ACTIVE:
            yield Source(centre.endpoint, centre.id)

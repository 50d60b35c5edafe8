"""Settings and versions, what waits for a person, the directory, the broker."""

import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from centre.config.environment import Environment
from console.doctor.findings import Finding, Grade
from console.moments import span

if TYPE_CHECKING:
    from centre.directory.interface import Directory

#: The umbrella publishes every day: so long after the last time, it soon looks old to everybody.
_PUBLISH_BEFORE = timedelta(hours=20)


def versions(environment: Environment) -> Iterator[Finding]:
    del environment
    import django

    yield Finding(
        Grade.GOOD,
        f"Python {sys.version.split()[0]}, Django {django.__version__}, {ssl.OPENSSL_VERSION}",
    )


def settings(environment: Environment) -> Iterator[Finding]:
    for name in environment.unknown:
        yield Finding(
            Grade.WARNING,
            f"{name} is no setting and has no effect: is it misspelt? (docs/guides/operating.md,"
            " Settings)",
        )


def traffic(environment: Environment) -> Iterator[Finding]:
    """What waits for a person, with the next step."""
    if environment.role == "umbrella":
        return
    from console import waiting

    url = environment.database_url
    problems = [*waiting.count(url).problems(), *waiting.forgotten_pauses(url)]
    for problem in problems:
        yield Finding(Grade.WARNING, problem)
    if not problems:
        yield Finding(Grade.GOOD, "no message waits for a person")


def directory(environment: Environment) -> Iterator[Finding]:
    from centre.directory import selectors
    from centre.directory.interface import AgeGrade

    directory = selectors.present()
    if environment.role == "umbrella":
        yield _published(directory)
    elif directory is None:
        yield Finding(Grade.BAD, "there is no directory yet: amtsbruecke directory fetch")
    elif (grade := directory.age_grade()) is AgeGrade.FRESH:
        yield Finding(Grade.GOOD, f"directory version {directory.version}, {grade.value}")
    else:
        why = _why_old(environment, directory)
        yield Finding(Grade.WARNING, f"directory version {directory.version}, {grade.value}: {why}")


def _published(directory: "Directory | None") -> Finding:
    if directory is None:
        return Finding(
            Grade.WARNING,
            "nothing is published yet: amtsbruecke directory publish ENTRY …, with what the centres"
            " have sent you",
        )
    age = datetime.now(UTC) - directory.snapshot.published_at
    words = f"directory version {directory.version}, published {span(age)} ago"
    if age < _PUBLISH_BEFORE:
        return Finding(Grade.GOOD, words)
    return Finding(
        Grade.WARNING, f"{words}: amtsbruecke directory publish --renew, every day by a timer"
    )


def _why_old(environment: Environment, directory: "Directory") -> str:
    """Return what is to be done, by what the umbrella says: only it knows of a newer one."""
    from federation.links.errors import LinkError
    from federation.sync import client

    fetch = "amtsbruecke directory fetch"
    if not environment.umbrella_endpoint or environment.tls_dir is None:
        return fetch
    try:
        newer = client.fetch(
            client.Source(environment.umbrella_endpoint),
            tls_directory=environment.tls_dir,
            known_version=directory.version,
        )
    except LinkError as problem:
        return f"{problem.message}. To ask the other centres, too: {fetch}"
    if newer is not None:
        return fetch
    age = datetime.now(UTC) - directory.snapshot.published_at
    return (
        f"the umbrella has published nothing for {span(age)}. Ask it to run `directory publish"
        " --renew` every day"
    )


def broker(environment: Environment) -> Iterator[Finding]:
    if environment.role == "umbrella":
        return
    from kombu.exceptions import KombuError

    from centre.config.celery import app

    if not environment.broker_url:
        yield Finding(Grade.BAD, "AMTSBRUECKE_BROKER_URL is not set")
        return
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
    except KombuError as problem:
        words = " ".join(str(problem).split())
        yield Finding(
            Grade.BAD,
            "the broker does not answer; is the centre running? `amtsbruecke centre status`"
            f" ({words})",
        )
        return
    yield Finding(Grade.GOOD, "broker answers")


def static(environment: Environment) -> Iterator[Finding]:
    if environment.role == "umbrella":
        return
    folder = Path(environment.home) / "static"
    if not folder.exists():
        yield Finding(Grade.GOOD, f"{folder} is not there yet: the web process fills it")

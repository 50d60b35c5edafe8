"""Is this centre fit to run? Each check is a function that returns what it found, in words."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
from django.db import DatabaseError, OperationalError

from centre.config.environment import Environment
from console.doctor import identity, storage, surroundings
from console.doctor.findings import Finding, Grade

__all__ = ["Finding", "Grade", "examine"]

_OF_A_CENTRE = re.compile(
    r"\bamtsbruecke (?=(alarm|audit|deadletter|directory|inbox|link|migrate|tenant)\b)"
)


def examine(environment: Environment) -> Iterator[Finding]:
    """Yield the findings of all checks; a check that cannot run is a finding itself.

    A database that does not answer is told once, and nothing else is asked of it. Commands to take
    next are told with the name of the centre.
    """
    named = f"amtsbruecke --centre {environment.centre} "
    away = False
    for check in _CHECKS:
        if away and check in _OF_THE_DATABASE:
            continue
        try:
            for finding in check(environment):
                yield replace(finding, text=_OF_A_CENTRE.sub(named, finding.text))
        except (OSError, ValueError, psycopg.Error, DatabaseError) as problem:
            words = " ".join(str(problem).split())
            if not _is_away(problem):
                yield Finding(Grade.BAD, f"{check.__name__}: {words}")
            elif not away:
                away = True
                yield Finding(
                    Grade.BAD,
                    "the database does not answer; is the centre running? `amtsbruecke centre"
                    f" status` ({words})",
                )


def _is_away(problem: Exception) -> bool:
    """Say whether nobody answered. A server that refuses says why: by SQLSTATE, or FATAL first."""
    said = problem.__cause__ or problem  # Django's error has psycopg's as its cause
    away = isinstance(problem, psycopg.OperationalError | OperationalError)
    return away and getattr(said, "sqlstate", None) is None and "FATAL" not in str(problem)


_CHECKS: tuple[Callable[[Environment], Iterator[Finding]], ...] = (
    surroundings.versions,
    surroundings.settings,
    identity.secrets,
    identity.certificate,
    storage.databases,
    storage.migrations,
    identity.stored_keys,
    storage.documents,
    storage.quota,
    storage.database_log,
    surroundings.directory,
    identity.listed,
    surroundings.traffic,
    surroundings.broker,
    surroundings.static,
)

#: Checks that have nothing to say while the database is away.
_OF_THE_DATABASE = frozenset(
    {
        storage.databases,
        storage.migrations,
        identity.stored_keys,
        storage.database_log,
        storage.quota,
        surroundings.directory,
        identity.listed,
        surroundings.traffic,
    }
)

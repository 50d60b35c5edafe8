"""What must hold before a process begins to serve: Django's system checks, also of the database.

To import only after `roles.become`. A database that is still starting is waited for; one on which
tenants could leak (too old, a superuser's login, a pooler in between) is refused.
"""

import time
from typing import Final

import psycopg
import structlog
from django.core.checks import ERROR, Tags, run_checks
from django.db import Error as DatabaseError
from django.db import connections

from console.errors import ConsoleError

log = structlog.get_logger(__name__)

_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 1.0


class Unsound(ConsoleError):
    """This process must not start."""

    reason = "UNSOUND"


def require(*, everything: bool = False, documents: bool = False) -> None:
    """Raise `Unsound` if a check fails.

    `everything` checks models, pages and handlers too, `documents` the folder of the documents.
    """
    if documents:
        _require_documents()
    tags = None if everything else [Tags.database]
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            found = run_checks(tags=tags, databases=["default"])
            _let_go()
            break
        except (psycopg.OperationalError, DatabaseError) as problem:
            if time.monotonic() > deadline:
                raise Unsound(
                    f"The database does not answer: {' '.join(str(problem).split())}",
                    hint="Is it running? `amtsbruecke doctor` says more.",
                ) from problem
            log.warning("database away", error=problem)
            time.sleep(_PAUSE_S)
    if grave := [each for each in found if each.level >= ERROR and not each.is_silenced()]:
        raise Unsound(
            " ".join(str(each.msg) for each in grave),
            hint=" ".join(str(each.hint) for each in grave if each.hint)
            or "See docs/guides/operating.md.",
        )


def _require_documents() -> None:
    from federation.blobs import stores
    from federation.blobs.errors import FilesUnusable

    try:
        if (files := stores.folder()) is not None:
            files.check()
    except FilesUnusable as problem:
        raise Unsound(
            problem.message,
            hint="AMTSBRUECKE_DOCUMENTS names it; docs/guides/operating.md has more.",
        ) from problem


def _let_go() -> None:
    """Close what the checks opened: a process that forks must not share it with its children."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()

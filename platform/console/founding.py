"""Creates a list of municipalities, and hands out the first administrators' passwords.

To import only after `roles.become`: it needs Django.
"""

import csv
import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from django.contrib.auth.hashers import make_password

from centre.kernel.actors import Actor
from centre.kernel.counting import counted
from centre.registry import services
from centre.registry.lists import Row
from centre.registry.services import Administrator, Founding, FoundingOutcome, NewTenant
from console.errors import ConsoleError

_HASHERS = 2
_PASSWORD_BYTES = 15


class ListRefused(ConsoleError):
    """Not all lines of a list can become municipalities."""

    reason = "LIST_REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a list."""

    foundings: list[Founding]
    faulty: list[Row]
    seconds: float

    def count(self, outcome: FoundingOutcome) -> int:
        return sum(founding.outcome == outcome for founding in self.foundings)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome for machines."""
        failed = [each for each in self.foundings if each.outcome == FoundingOutcome.FAILED]
        return {
            "created": self.count(FoundingOutcome.CREATED),
            "there": self.count(FoundingOutcome.THERE),
            "failed": [{"slug": each.slug, "problem": each.problem} for each in failed],
            "faulty": [
                {"line": row.line, "slug": row.slug, "faults": row.faults} for row in self.faulty
            ],
            "seconds": round(self.seconds, 3),
        }

    def require_success(self) -> None:
        """Raise `ListRefused` if a municipality of the list is missing."""
        failed = [each for each in self.foundings if each.outcome == FoundingOutcome.FAILED]
        if failed:
            raise ListRefused(
                f"{counted(len(failed), 'municipality', 'municipalities')} could not be created,"
                f" such as {failed[0].slug}: "
                f"{failed[0].problem}",
                hint="The others are there. Mend the cause and run the command again.",
            )
        if self.faulty:
            raise ListRefused(
                f"{counted(len(self.faulty), 'line was', 'lines were')} left out,"
                f" such as line {self.faulty[0].line}.",
                hint="Mend them in the file and run the command again.",
            )


class Passwords(Protocol):
    """Where the first administrators' passwords are kept for handing out."""

    def of(self, row: Row) -> str:
        """Return the password of a line's administrator; kept before anybody can use it."""
        ...


class _PasswordFile:
    """A CSV file that only its owner may read; it survives the end of the program at any time."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "r+", encoding="utf-8", newline="")
        whole, _, torn = self._file.read().rpartition("\n")
        if torn:  # by a crash, before anybody could use what it says
            self._file.truncate(len(f"{whole}\n".encode()) if whole else 0)
        rows = csv.reader(whole.splitlines())
        self._known = {(slug, login): password for slug, login, password in rows}
        self._writer = csv.writer(self._file, lineterminator="\n")

    def of(self, row: Row) -> str:
        key = row.slug, row.login
        if key not in self._known:
            self._known[key] = secrets.token_urlsafe(_PASSWORD_BYTES)
            self._writer.writerow((*key, self._known[key]))
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._known[key]

    def close(self) -> None:
        self._file.close()


@contextmanager
def password_file(path: Path) -> Iterator[Passwords]:
    """Open the file of passwords; a password that is in it already is used again."""
    passwords = _PasswordFile(path)
    try:
        yield passwords
    finally:
        passwords.close()


def create(
    rows: list[Row],
    *,
    by: Actor,
    passwords: Path | None,
    report: Callable[[int, Founding, float], object],
) -> Outcome:
    """Create the municipalities of a list, telling `report` of each with its number and seconds.

    May be repeated: goes on where it stopped. Raises `ListRefused` if there are administrators in
    the list and no file for their passwords.
    """
    begin = time.monotonic()
    good = [row for row in rows if row.tenant is not None]
    if any(row.administrator for row in good) and passwords is None:
        raise ListRefused(
            "The list names administrators, and their passwords have to go somewhere.",
            hint="Name a new file with --passwords; only you will be able to read it.",
        )
    foundings = []
    with password_file(passwords) if passwords else nullcontext() as kept:
        since = begin
        founded = services.create_tenants(tenants=_tenants(good, kept), by=by)
        for number, founding in enumerate(founded, start=1):
            now = time.monotonic()
            report(number, founding, now - since)
            since = now
            foundings.append(founding)
    return Outcome(
        foundings=foundings,
        faulty=[row for row in rows if row.tenant is None],
        seconds=time.monotonic() - begin,
    )


def _tenants(rows: list[Row], passwords: Passwords | None) -> Iterator[NewTenant]:
    """Yield what is to be created; passwords are hashed meanwhile, slow on purpose as that is."""

    def prepared(row: Row) -> NewTenant:
        assert row.tenant is not None
        if not row.administrator or row.is_there or passwords is None:
            return row.tenant
        password = given[row.slug]
        administrator = Administrator(
            login=row.login,
            name=row.administrator,
            password=password,
            temporary=True,
            password_hash=make_password(password),
        )
        return replace(row.tenant, administrator=administrator)

    given = {}
    for row in rows:
        if passwords is not None and row.administrator and not row.is_there:
            given[row.slug] = passwords.of(row)
    with ThreadPoolExecutor(_HASHERS) as hashers:
        yield from hashers.map(prepared, rows)

"""Directories for unix sockets, whose paths may have 107 bytes and no more."""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from console.embedded.account import Account
from console.errors import EngineError

LIMIT = 107
_LONGEST_NAME = len("/.s.PGSQL.65535")


def run_directory(directory: Path, account: Account) -> Path:
    """Return a private directory for sockets: `directory/run`, or a short one outside."""
    found = _place(directory, account)
    found.mkdir(mode=0o700, exist_ok=True)
    status = found.lstat()
    owners = {os.getuid(), account.owner[0] if account.owner else os.getuid()}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners or status.st_mode & 0o077:
        raise EngineError(
            f"{found} should be a private directory for sockets and is not.",
            hint="Remove it, or set TMPDIR to a directory of your own.",
        )
    account.own(found)
    return found


def leave(run: Path, directory: Path) -> None:
    """Remove a directory for sockets that lies outside `directory`, once it is empty."""
    if not run.is_relative_to(directory):
        with suppress(OSError):  # a socket that is left there is cleared away by the next start
            run.rmdir()


def _place(directory: Path, account: Account) -> Path:
    inside = directory / "run"
    if len(os.fsencode(inside)) + _LONGEST_NAME <= LIMIT:
        return inside
    digest = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:12]
    base = None if account.owner else os.environ.get("XDG_RUNTIME_DIR")
    return Path(base or tempfile.gettempdir()) / f"amtsbruecke-{os.getuid()}-{digest}"

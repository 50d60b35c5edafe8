"""Under whose name PostgreSQL runs, since it refuses to run as root."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from console.errors import EngineError

_LAUNCHER = Path(__file__).parents[1] / "launcher.py"


@dataclass(frozen=True, slots=True)
class Account:
    """A name to run under: `spec` is what the launcher understands, `owner` who owns the files."""

    spec: str
    owner: tuple[int, int] | None = None

    def own(self, path: Path) -> None:
        """Hand a file or directory over to the account."""
        if self.owner is not None:
            os.chown(path, *self.owner)


def choose(data: Path) -> Account:
    """Return the account for the data directory `data`.

    Not root: ourselves. Root: `nobody`, where that user can reach the directory; else root as an
    ordinary user of a user namespace. Existing data stay with the account that owns them.
    """
    if os.geteuid() != 0:
        return Account("same")
    entry = pwd.getpwnam("nobody")
    nobody = Account(f"{entry.pw_uid}:{entry.pw_gid}", (entry.pw_uid, entry.pw_gid))
    namespace = Account("namespace")
    if data.exists():
        return nobody if data.stat().st_uid == entry.pw_uid else namespace
    if reachable(data.parent):
        return nobody
    if namespaces_work():
        return namespace
    raise EngineError(
        f"PostgreSQL does not run as root, and the user `nobody` may not enter {data.parent}.",
        hint="Choose a directory that others may enter with --home (/var/lib/amtsbruecke, say),"
        " or start as an ordinary user.",
    )


def reachable(path: Path) -> bool:
    """Say whether every directory on the way to `path` lets strangers pass."""
    return all(
        directory.stat().st_mode & stat.S_IXOTH
        for directory in (path, *path.resolve().parents)
        if directory.exists()
    )


@cache
def namespaces_work() -> bool:
    """Try whether the kernel lets us make a user namespace (containers often forbid it)."""
    probe = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), "0", "namespace", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def reachable_install(install: Path, account: Account) -> Path:
    """Return a copy of the binaries that the account can execute; the originals where it can."""
    if account.owner is None or reachable(install):
        return install
    version = install.joinpath("bin", "postgres").stat()
    copy = Path("/var/lib/amtsbruecke") / f"postgres-{version.st_mtime_ns:x}-{version.st_size:x}"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(install, fresh, symlinks=True, ignore=shutil.ignore_patterns("include"))
        try:
            fresh.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return copy

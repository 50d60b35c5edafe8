"""One process per engine directory."""

import fcntl
import os
from pathlib import Path

from console.errors import EngineInUse


class DirectoryLock:
    """An advisory lock that the kernel takes back when its holder dies, however it dies."""

    def __init__(self, path: Path, *, what: str, way_out: str = "Stop that process first") -> None:
        self._path = path
        self._what = what
        self._way_out = way_out
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise `EngineInUse` naming the holder."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode().strip() or "unknown"
            os.close(fd)
            raise EngineInUse(
                f"{self._what} in {self._path.parent} is in use by process {holder}.",
                hint=f"{self._way_out}, or choose another directory with --home.",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; twice is no error."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

"""Sealed documents as files: `FOLDER/<role of the tenant>/<id of the row>`. Knows no database.

The row is what counts. It says how many bytes of a document are here and who may know of them, and
nobody asks for a file but by the role and the id of a row that it was allowed to see. What `add`
has returned from, or the block of `new` has ended with, is on the disk: only then may a transaction
state it. What a file holds beyond that is nothing, and is overwritten.
"""

import errno
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

from federation.blobs.errors import BlobMissing, FilesFull, FilesUnusable

_ROLE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
#: Where the system can, a write returns when it is on the disk.
_THROUGH: Final[int] = getattr(os, "RWF_DSYNC", 0)
_sync_data: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
_MIB: Final = 1024 * 1024
#: In which pieces a new file is written, and how many of them may wait.
_PIECE: Final = _MIB
_PIECES_WAITING: Final = 4
#: The disk gets its work early, so that little is left to wait for in the end.
_SYNCED_AT_ONCE: Final = 8 * _MIB


class NewFile:
    """A file that one thread writes while another still makes what goes into it."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._thread = ThreadPoolExecutor(1, "document")
        self._under_way: deque[Future[None]] = deque()
        self._piece: list[bytes] = []
        self._size = self._unsynced = 0

    def add(self, data: bytes) -> None:
        """Append; a few pieces at most wait in memory. An earlier one's error is raised here."""
        self._piece.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            self._hand_over()

    def finish(self) -> None:
        """Write what is left and wait for the disk."""
        self._hand_over()
        self._under_way.append(self._thread.submit(_sync_data, self._descriptor))
        self._await(0)

    def close(self) -> None:
        """Let the thread end, whatever it has come to."""
        self._thread.shutdown(cancel_futures=True)
        os.close(self._descriptor)

    def _hand_over(self) -> None:
        piece, self._piece, self._size = self._piece, [], 0
        self._await(_PIECES_WAITING - 1)
        self._under_way.append(self._thread.submit(self._write, piece))

    def _await(self, left: int) -> None:
        with _trouble(self._folder):
            while len(self._under_way) > left:
                self._under_way.popleft().result()

    def _write(self, piece: list[bytes]) -> None:
        for data in piece:
            _write(self._descriptor, data)
            self._unsynced += len(data)
        if self._unsynced >= _SYNCED_AT_ONCE:
            _sync_data(self._descriptor)
            self._unsynced = 0


class OpenFile:
    """A file for as long as one call needs it.

    Between two calls into the system a thread waits for its turn in the interpreter, on a busy
    event loop longer than for the disk: so each step is one call.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._descriptor = descriptor

    def add(self, data: bytes | memoryview, *, at: int) -> None:
        """Write behind the first `at` bytes, and wait for the disk.

        Cuts nothing off: a disk that stood still may let a write of an earlier call pass after
        those of a later one.
        """
        with _trouble(self._folder), memoryview(data) as view:
            done = 0
            while done < len(view):  # the system may take less where the disk is nearly full
                done += os.pwritev(self._descriptor, [view[done:]], at + done, _THROUGH)
            if not _THROUGH:
                os.fsync(self._descriptor)

    def read(self, *, at: int, size: int) -> bytes:
        """Return exactly so many bytes from there on; raise `BlobMissing` if they are not here."""
        with _trouble(self._folder):
            data = os.pread(self._descriptor, size, at)
        if len(data) != size:
            raise BlobMissing(f"A document ends at byte {at + len(data)}, before {at + size}.")
        return data

    def size(self) -> int:
        with _trouble(self._folder):
            return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        os.close(self._descriptor)


class Files:
    """The documents of a centre in their folder. Whatever the disk refuses is a `BlobError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Raise `FilesUnusable` unless documents can be stored.

        The folder itself is never made here: without its disk, documents would go astray.
        """
        with _trouble(self._folder):
            probe = self._folder / f".probe-{os.getpid()}"
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600))
            probe.unlink()

    def path(self, role: str, blob_id: UUID) -> Path:
        """Return where a file lies."""
        return self._of(role) / str(blob_id)

    @contextmanager
    def new(self, role: str, blob_id: UUID) -> Iterator[NewFile]:
        """Write a file from its start to its end; it goes again if the block fails."""
        with _trouble(self._folder):
            file = NewFile(self._folder, self._create(role, blob_id))
        try:
            try:
                yield file
                file.finish()
            finally:
                file.close()
            with _trouble(self._folder):
                _sync(self._of(role))
        except BaseException:
            with suppress(OSError):  # else the sweep finds it
                self.path(role, blob_id).unlink()
            raise

    def open_to_add(self, role: str, blob_id: UUID, *, at: int) -> "OpenFile":
        """Open a file to write behind its first `at` bytes; where that is 0 it may be new.

        Raises `BlobMissing` if these bytes are not there.
        """
        with _trouble(self._folder):
            if at:
                descriptor = os.open(self.path(role, blob_id), os.O_WRONLY | _FLAGS)
            else:
                descriptor = self._create(role, blob_id)
                _sync(self._of(role))
        file = OpenFile(self._folder, descriptor)
        if (size := file.size()) < at:
            file.close()
            raise BlobMissing(f"{role}/{blob_id} has {size} bytes instead of {at}.")
        return file

    def open(self, role: str, blob_id: UUID) -> "OpenFile":
        """Open a file to read it; raise `BlobMissing` if it is not there."""
        with _trouble(self._folder):
            return OpenFile(self._folder, os.open(self.path(role, blob_id), os.O_RDONLY | _FLAGS))

    def read(self, role: str, blob_id: UUID, *, at: int, size: int) -> bytes:
        """Return exactly so many bytes from there on; raise `BlobMissing` if they are not here."""
        with closing(self.open(role, blob_id)) as file:
            return file.read(at=at, size=size)

    def size(self, role: str, blob_id: UUID) -> int:
        """Return how many bytes a file has; 0 if there is none."""
        try:
            with _trouble(self._folder):
                return self.path(role, blob_id).lstat().st_size
        except BlobMissing:
            return 0

    def empty(self, role: str, blob_id: UUID) -> None:
        """Throw the bytes of a file away; who has it open still has the same file."""
        with _trouble(self._folder), suppress(FileNotFoundError):
            os.truncate(self.path(role, blob_id), 0)

    def remove(self, role: str, blob_id: UUID) -> None:
        """Delete a file, if there is one."""
        with _trouble(self._folder):
            self.path(role, blob_id).unlink(missing_ok=True)

    def remove_all(self, role: str) -> None:
        """Delete the files of a tenant that is no more."""
        folder = self._of(role)
        with _trouble(self._folder), suppress(FileNotFoundError):
            for each in folder.iterdir():
                each.unlink(missing_ok=True)
            folder.rmdir()

    def untouched_since(self, moment: float, *, prefix: str) -> Iterator[tuple[str, UUID]]:
        """Yield role and id of the files that nobody has written to since then.

        Those of roles with this prefix: what else lies there is none of ours.
        """
        with _trouble(self._folder):
            for folder in self._folder.iterdir():
                if not (_ROLE.fullmatch(folder.name) and folder.name.startswith(prefix)):
                    continue
                for each in folder.iterdir():
                    # Another process may delete it just now; a strange name is nobody's document.
                    with suppress(FileNotFoundError, ValueError):
                        if each.lstat().st_mtime < moment:
                            yield folder.name, UUID(each.name)

    def _of(self, role: str) -> Path:
        if not _ROLE.fullmatch(role):
            raise ValueError(f"{role!r} is no role of a tenant")
        return self._folder / role

    def _create(self, role: str, blob_id: UUID) -> int:
        folder = self._of(role)
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            _sync(self._folder)
        return os.open(self.path(role, blob_id), os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600)


def _write(descriptor: int, data: bytes) -> None:
    """Write all: the system may take less at a time, as where the disk is nearly full."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(descriptor, view[done:])


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _trouble(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        # Without the folder nothing is known: no document is gone because a disk is.
        if folder.is_dir():
            raise BlobMissing(f"{error.filename} is not there.") from error
        raise FilesUnusable(f"The folder {folder} is not there. Is its disk mounted?") from error
    except OSError as error:
        if error.errno in _FULL:
            raise FilesFull(f"There is no space left for documents in {folder}.") from error
        raise FilesUnusable(
            f"Documents cannot be kept in {folder}: {error.strerror}. It must be a folder that "
            "this account may write to."
        ) from error

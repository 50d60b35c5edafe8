"""Sealed documents as files: `FOLDER/<role of the tenant>/<id of the row>`. Knows no database.

The row is what counts. It says how many bytes of a document are here and who may know of them, and
nobody asks for a file but by the role and the id of a row that it was allowed to see. What was
added before `sync` is on the disk once that is done, and so is all when the block of `new` has
ended: only then may a transaction state it. What a file holds beyond that is nothing, and is
overwritten.
"""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from mmap import mmap
from pathlib import Path
from typing import Final
from uuid import UUID

from federation.blobs.errors import BlobError, BlobMissing, FileBusy, FilesFull, FilesUnusable

_ROLE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_sync_data: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
_DIRECT: Final[int] = getattr(os, "O_DIRECT", 0)
#: What is written or read directly has a multiple of this length, and begins at one.
BLOCK: Final = 4096


class WrittenFile:
    """A file that a thread of its own writes while others make or fetch what goes into it.

    Nobody else writes to the file as long as it is open here, in whatever process.
    """

    def __init__(self, folder: Path, descriptor: int, *, at: int = 0) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._at = at
        self._thread = ThreadPoolExecutor(1, "document")
        self._failure: BlobError | None = None
        self._lost: BlobError | None = None

    def claim(self) -> None:
        """Keep others from writing; raise `FileBusy` or `BlobMissing`."""
        with _trouble(self._folder):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = os.fstat(self._descriptor).st_size
        if size < self._at:
            raise BlobMissing(f"A document has {size} bytes instead of {self._at}.")

    def add(self, data: memoryview) -> Future[None]:
        """Append. Until it is done, the bytes stay as they are.

        All but the last ones come in whole blocks, and begin at the border of a page.
        Cuts nothing off: a disk that stood still may let a write of an earlier call pass after
        those of a later one.
        """
        at, self._at = self._at, self._at + len(data)
        return self._submit(lambda: self._add(data, at))

    def sync(self) -> Future[None]:
        """Bring to the disk what has been added. Once for many: each tells it of a new size."""
        return self._submit(self._sync)

    def finish(self) -> None:
        """Wait until all that was added is on the disk; raise the first error."""
        self.sync().result()
        self._go_on()

    def close(self) -> None:
        """Let go of the file once its thread has done what it was given; does not wait for it."""
        try:
            self._thread.submit(os.close, self._descriptor)
        except RuntimeError:  # no thread was ever started
            os.close(self._descriptor)
        self._thread.shutdown(wait=False)

    def _submit(self, work: Callable[[], None]) -> Future[None]:
        try:
            return self._thread.submit(work)
        except RuntimeError as error:
            self._failure = FilesUnusable(f"Documents cannot be written now: {error}.")
            raise self._failure from error

    def _add(self, data: memoryview, at: int) -> None:
        self._go_on()
        whole = len(data) - len(data) % BLOCK
        try:
            with _trouble(self._folder):
                self._write(data[:whole], at)
                if whole < len(data):
                    # The end, which has any length, cannot go directly.
                    _indirect(self._descriptor)
                    self._write(data[whole:], at + whole)
        except BlobError as error:
            self._failure = error
            raise

    def _go_on(self) -> None:
        """Raise where an earlier write has failed: nothing follows a hole."""
        if self._failure is not None:
            raise self._failure

    def _write(self, data: memoryview, at: int) -> None:
        done = 0
        while done < len(data):
            try:
                done += os.pwrite(self._descriptor, data[done:], at + done)
            except OSError as error:
                # Some take it when a file is opened, and not what is written; or what is there
                # already ends within a block.
                if error.errno != errno.EINVAL or not _indirect(self._descriptor):
                    raise
                continue
            if done < len(data):  # less, and of any length, is taken where the disk is nearly full
                _indirect(self._descriptor)

    def _sync(self) -> None:
        # The system tells of a write that was lost once: a second try would believe it.
        if self._lost is not None:
            raise self._lost
        try:
            with _trouble(self._folder):
                _sync_data(self._descriptor)
        except BlobError as error:
            self._failure = self._lost = error
            raise


class ReadFile:
    """A file for as long as one call reads it."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._descriptor = descriptor

    def read_into(self, place: memoryview, *, at: int) -> int:
        """Fill a place from there on, up to the end of the file; return how much there was."""
        with _trouble(self._folder):
            try:
                return os.preadv(self._descriptor, [place], at)
            except OSError as error:  # as for writes
                if error.errno != errno.EINVAL or not _indirect(self._descriptor):
                    raise
                return os.preadv(self._descriptor, [place], at)

    def read(self, *, at: int, size: int) -> bytes:
        """Return exactly so many bytes from there on; raise `BlobMissing` if they are not here."""
        with _trouble(self._folder):
            data = os.pread(self._descriptor, size, at)
        if len(data) != size:
            raise BlobMissing(f"A document ends at byte {at + len(data)}, before {at + size}.")
        return data

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
        probe = self._folder / f".probe-{secrets.token_hex(8)}"
        with _trouble(self._folder):
            file = WrittenFile(self._folder, _directly(probe, os.O_WRONLY | os.O_CREAT | _FLAGS))
            try:
                file.add(memoryview(mmap(-1, BLOCK + 1)))
                file.finish()
            finally:
                file.close()
                probe.unlink(missing_ok=True)

    def path(self, role: str, blob_id: UUID) -> Path:
        """Return where a file lies."""
        return self._of(role) / str(blob_id)

    @contextmanager
    def new(self, role: str, blob_id: UUID) -> Iterator[WrittenFile]:
        """Write a file from its start to its end; it goes again if the block fails."""
        file = self.open_to_add(role, blob_id, at=0)
        try:
            try:
                yield file
                file.finish()
            finally:
                file.close()
        except BaseException:
            with suppress(OSError):  # else the sweep finds it
                self.path(role, blob_id).unlink()
            raise

    def open_to_add(self, role: str, blob_id: UUID, *, at: int) -> WrittenFile:
        """Open a file to write behind its first `at` bytes; where that is 0 it may be new.

        Raises `BlobMissing` if these bytes are not there, and `FileBusy` if it is being written.
        """
        with _trouble(self._folder):
            if at:
                descriptor = _directly(self.path(role, blob_id), os.O_WRONLY | _FLAGS)
            else:
                descriptor = self._create(role, blob_id)
        file = WrittenFile(self._folder, descriptor, at=at)
        try:
            file.claim()
        except BaseException:
            file.close()
            raise
        return file

    def open(self, role: str, blob_id: UUID, *, direct: bool = False) -> ReadFile:
        """Open a file to read it; raise `BlobMissing` if it is not there.

        With `direct` whole blocks are read into places that begin at the border of a page.
        """
        flags = os.O_RDONLY | _FLAGS
        with _trouble(self._folder):
            path = self.path(role, blob_id)
            return ReadFile(
                self._folder, _directly(path, flags) if direct else os.open(path, flags)
            )

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

    def has(self, role: str) -> bool:
        """Return whether a tenant has a folder here; one with documents in files always has."""
        with _trouble(self._folder):
            return self._folder.is_dir() and self._of(role).is_dir()

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
                names: list[Path] = []
                with suppress(FileNotFoundError, NotADirectoryError):
                    names = list(folder.iterdir())
                for each in names:
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
        folder.mkdir(0o700, exist_ok=True)
        # Also where another process has made it: it may not have come so far.
        _sync(self._folder)
        descriptor = _directly(self.path(role, blob_id), os.O_WRONLY | os.O_CREAT | _FLAGS)
        try:
            _sync(folder)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _directly(path: Path, flags: int) -> int:
    """Open a file past the cache of the system, where its file system can do that.

    Nobody reads a document again soon. To copy it into fresh memory of the cache took longer than
    to seal it.
    """
    try:
        return os.open(path, flags | _DIRECT, 0o600)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags, 0o600)


def _indirect(descriptor: int) -> bool:
    """Write through the cache from now on; return whether that is news."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
    return bool(flags & _DIRECT)


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
    except BlockingIOError as error:
        raise FileBusy("Another call writes this document.") from error
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

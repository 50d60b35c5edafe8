"""Files of documents: durable when they say so, found by role and id alone."""

import errno
import fcntl
import os
import resource
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from mmap import mmap
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from centre.kernel.ids import new_id
from federation.blobs import files as module
from federation.blobs.errors import BlobMissing, FileBusy, FilesFull, FilesUnusable
from federation.blobs.files import BLOCK, Files, WrittenFile

ROLE = "krz_t_alpha"
MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir(0o700)
    return path


@pytest.fixture
def files(folder: Path) -> Files:
    return Files(folder)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written to the disk for good, in order: names of files and folders."""
    names: list[str] = []

    def sync(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(module, "_sync_data", sync)
    return names


def page(data: bytes) -> memoryview:
    """Return the data at the border of a page."""
    view = memoryview(mmap(-1, max(1, len(data))))[: len(data)]
    view[:] = data
    return view


def write(files: Files, pieces: Iterable[bytes]) -> UUID:
    blob_id = new_id()
    with files.new(ROLE, blob_id) as file:
        for piece in pieces:
            file.add(page(piece)).result()
    return blob_id


@contextmanager
def opened(files: Files, role: str, blob_id: UUID, *, at: int) -> Iterator[WrittenFile]:
    """Open a file to add to it, and wait until it is closed: a thread does that."""
    file = files.open_to_add(role, blob_id, at=at)
    try:
        yield file
    finally:
        file.close()
        file._thread.shutdown()


def add(files: Files, role: str, blob_id: UUID, data: bytes, *, at: int) -> None:
    with opened(files, role, blob_id, at=at) as file:
        file.add(page(data))
        file.finish()


def content(folder: Path, blob_id: UUID) -> bytes:
    return (folder / ROLE / str(blob_id)).read_bytes()


def test_a_new_file_holds_all_pieces_for_our_eyes_only(files: Files, folder: Path) -> None:
    pieces = [bytes([number]) * 75 * BLOCK for number in range(40)] + [b"the end"]
    blob_id = write(files, pieces)
    assert content(folder, blob_id) == b"".join(pieces)
    assert files.size(ROLE, blob_id) == 40 * 75 * BLOCK + 7
    with closing(files.open(ROLE, blob_id)) as file:
        assert file.read(at=75 * BLOCK - 1, size=2) == b"\0\1"
    assert (folder / ROLE).stat().st_mode & 0o777 == 0o700
    assert files.path(ROLE, blob_id).stat().st_mode & 0o777 == 0o600


def test_a_new_file_is_on_the_disk_with_its_name(files: Files, synced: list[str]) -> None:
    blob_id = write(files, [b"x" * MIB])
    assert synced == ["documents", ROLE, str(blob_id)]


@pytest.mark.parametrize("size", [0, 1, BLOCK, 3 * BLOCK + 7])
def test_a_file_is_read_past_the_cache_up_to_its_end(files: Files, size: int) -> None:
    data = os.urandom(size)
    blob_id = write(files, [data[: size - size % BLOCK], data[size - size % BLOCK :]])
    place = page(bytes(4 * BLOCK))
    with closing(files.open(ROLE, blob_id, direct=True)) as file:
        assert file.read_into(place, at=0) == size
    assert place[:size] == data


def test_a_file_system_that_knows_no_direct_writes_has_the_usual_ones(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = os.open, []

    def refuse(path: Any, flags: int, *rest: Any) -> int:
        if flags & os.O_DIRECT:
            asked.append(path)
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    blob_id = write(files, [b"x" * BLOCK, b"y"])
    with closing(files.open(ROLE, blob_id, direct=True)) as file:
        assert file.read_into(page(bytes(2 * BLOCK)), at=0) == BLOCK + 1
    assert len(asked) == 2
    assert content(folder, blob_id) == b"x" * BLOCK + b"y"


def test_nothing_is_written_behind_a_hole(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite, fails = os.pwrite, [False, True]

    def fail_once(*arguments: Any) -> int:
        if fails and fails.pop(0):
            raise OSError(errno.EIO, "Input/output error")
        return pwrite(*arguments)

    monkeypatch.setattr(os, "pwrite", fail_once)
    blob_id = new_id()
    with opened(files, ROLE, blob_id, at=0) as file:
        first, second, third = [file.add(page(b"x" * BLOCK)) for _ in range(3)]
        first.result()
        for each in (second, third):
            with pytest.raises(FilesUnusable):
                each.result()
        with pytest.raises(FilesUnusable):
            file.finish()
        # What came before it may be stated.
        file.sync().result()
    assert files.size(ROLE, blob_id) == BLOCK


def test_what_the_disk_has_lost_once_is_not_believed_later(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells of a lost write once; the next call would end well."""
    fails = [True]

    def fail_once(descriptor: int) -> None:
        if fails:
            fails.pop()
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(descriptor)

    monkeypatch.setattr(module, "_sync_data", fail_once)
    with opened(files, ROLE, new_id(), at=0) as file:
        file.add(page(b"x" * BLOCK)).result()
        for _ in range(2):
            with pytest.raises(FilesUnusable):
                file.sync().result()
        with pytest.raises(FilesUnusable):
            file.add(page(b"y")).result()


def test_a_file_system_that_takes_no_direct_write_after_all_gets_a_usual_one(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, refused = os.pwrite, []

    def refuse(descriptor: int, data: memoryview, at: int) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(at)
            raise OSError(errno.EINVAL, "Invalid argument")
        return pwrite(descriptor, data, at)

    def refuse_to_read(descriptor: int, places: list[memoryview], at: int) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(at)
            raise OSError(errno.EINVAL, "Invalid argument")
        return preadv(descriptor, places, at)

    preadv = os.preadv
    monkeypatch.setattr(os, "pwrite", refuse)
    monkeypatch.setattr(os, "preadv", refuse_to_read)
    files.check()
    blob_id = write(files, [b"x" * BLOCK, b"y" * BLOCK])
    assert content(folder, blob_id) == b"x" * BLOCK + b"y" * BLOCK
    with closing(files.open(ROLE, blob_id, direct=True)) as file:
        assert file.read_into(page(bytes(3 * BLOCK)), at=0) == 2 * BLOCK
    assert refused == [0, 0, 0]


def test_who_goes_on_within_a_block_writes_the_usual_way(files: Files, folder: Path) -> None:
    """As behind chunks that an earlier release has written."""
    blob_id = new_id()
    add(files, ROLE, blob_id, b"x" * 1000, at=0)
    add(files, ROLE, blob_id, b"y" * 2 * BLOCK, at=1000)
    assert content(folder, blob_id) == b"x" * 1000 + b"y" * 2 * BLOCK


def test_a_folder_in_which_nothing_can_be_written_is_not_good(
    files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(FilesFull):
        files.check()
    assert list(folder.iterdir()) == []


def test_no_descriptor_stays_where_a_name_cannot_be_made_durable(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_before = len(list(Path("/proc/self/fd").iterdir()))

    def fail(_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "_sync", fail)
    for _ in range(3):
        with pytest.raises(FilesUnusable):
            files.open_to_add(ROLE, new_id(), at=0)
    assert len(list(Path("/proc/self/fd").iterdir())) == opened_before


def test_no_lock_stays_where_no_thread_can_be_started(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    blob_id = new_id()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        file = files.open_to_add(ROLE, blob_id, at=0)
        with pytest.raises(FilesUnusable, match="thread"):
            file.add(page(b"x"))
        file.close()
    add(files, ROLE, blob_id, b"x", at=0)


def test_one_call_at_a_time_writes_to_a_file(files: Files, folder: Path) -> None:
    blob_id = new_id()
    with opened(files, ROLE, blob_id, at=0) as file:
        file.add(page(b"mine")).result()
        for at in (0, 4):
            with pytest.raises(FileBusy):
                files.open_to_add(ROLE, blob_id, at=at)
    add(files, ROLE, blob_id, b"next", at=4)
    assert content(folder, blob_id) == b"minenext"


def test_a_block_that_fails_leaves_no_file(files: Files, folder: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 2 * MIB
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        write(files, pieces())
    assert list((folder / ROLE).iterdir()) == []


def test_steps_of_an_upload_follow_each_other(
    files: Files, folder: Path, synced: list[str]
) -> None:
    blob_id = new_id()
    add(files, ROLE, blob_id, b"one.", at=0)
    assert synced == ["documents", ROLE, str(blob_id)]
    add(files, ROLE, blob_id, b"two.", at=4)
    assert synced[3:] == [str(blob_id)]
    assert content(folder, blob_id) == b"one.two."


def test_what_was_never_stated_is_written_over(files: Files, folder: Path) -> None:
    blob_id = new_id()
    add(files, ROLE, blob_id, b"one.", at=0)
    add(files, ROLE, blob_id, b"lost", at=4)
    add(files, ROLE, blob_id, b"two.", at=4)
    assert content(folder, blob_id) == b"one.two."
    add(files, ROLE, blob_id, b"anew", at=0)
    assert content(folder, blob_id)[:4] == b"anew"


@pytest.mark.parametrize("there", [b"", b"one"])
def test_a_step_beyond_the_end_leaves_no_hole(files: Files, folder: Path, there: bytes) -> None:
    blob_id = new_id()
    if there:
        add(files, ROLE, blob_id, there, at=0)
    with pytest.raises(BlobMissing):
        add(files, ROLE, blob_id, b"two.", at=4)
    assert files.size(ROLE, blob_id) == len(there)


def test_what_is_short_or_gone_is_missing(files: Files) -> None:
    blob_id = write(files, [b"four"])
    with closing(files.open(ROLE, blob_id)) as file, pytest.raises(BlobMissing):
        file.read(at=2, size=3)
    files.remove(ROLE, blob_id)
    files.remove(ROLE, blob_id)
    with pytest.raises(BlobMissing):
        files.open(ROLE, blob_id)
    assert files.size(ROLE, blob_id) == 0


@pytest.mark.parametrize("role", ["", "..", "a/b", "../krz_t_beta", "A", "krz t", "."])
def test_nothing_else_than_a_role_becomes_a_path(files: Files, role: str) -> None:
    with pytest.raises(ValueError, match="no role"):
        add(files, role, new_id(), b"x", at=0)


def test_links_are_not_followed(files: Files, folder: Path, tmp_path: Path) -> None:
    blob_id = write(files, [b"x"])
    target = tmp_path / "elsewhere"
    target.write_bytes(b"secret")
    files.path(ROLE, blob_id).unlink()
    files.path(ROLE, blob_id).symlink_to(target)
    with pytest.raises(FilesUnusable):
        files.open(ROLE, blob_id)
    with pytest.raises(FilesUnusable):
        add(files, ROLE, blob_id, b"spoilt", at=0)
    assert target.read_bytes() == b"secret"


# -- a disk that refuses -----------------------------------------------------------------------


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may become larger than half a mebibyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB // 2, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_nothing(files: Files, folder: Path) -> None:
    with small_disk(), pytest.raises(FilesFull):
        write(files, [b"x" * MIB])
    assert list((folder / ROLE).iterdir()) == []
    blob_id = new_id()
    with small_disk(), pytest.raises(FilesFull):
        add(files, ROLE, blob_id, b"x" * MIB, at=0)
    add(files, ROLE, blob_id, b"x" * MIB, at=0)


def test_a_disk_that_cannot_write_is_never_taken_for_done(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "_sync_data", fail)
    with pytest.raises(FilesUnusable, match="Input/output error"):
        write(files, [b"x"])
    with pytest.raises(FilesUnusable, match="Input/output error"):
        add(files, ROLE, new_id(), b"x", at=0)


def test_a_folder_that_is_gone_is_no_missing_document(files: Files, folder: Path) -> None:
    files.check()
    assert list(folder.iterdir()) == []
    folder.rmdir()
    uses = [
        files.check,
        lambda: write(files, [b"x"]),
        lambda: add(files, ROLE, new_id(), b"x", at=0),
        lambda: add(files, ROLE, new_id(), b"x", at=1),
        lambda: files.open(ROLE, new_id()),
        lambda: files.size(ROLE, new_id()),
        lambda: list(files.untouched_since(0, prefix="krz_t_")),
    ]
    for use in uses:
        with pytest.raises(FilesUnusable, match="Is its disk mounted"):
            use()
    folder.write_text("no folder")
    with pytest.raises(FilesUnusable):
        files.check()


# -- what is to go -----------------------------------------------------------------------------


def test_only_old_files_of_our_roles_are_named(files: Files, folder: Path) -> None:
    old, young = write(files, [b"old"]), write(files, [b"young"])
    for role in ("nord_t_kiel", ROLE):
        add(files, role, old, b"old", at=0)
        os.utime(files.path(role, old), (1000, 1000))
    strange = folder / ROLE / "readme"
    strange.touch()
    os.utime(strange, (1000, 1000))
    assert list(files.untouched_since(2000, prefix="krz_t_")) == [(ROLE, old)]
    assert files.size(ROLE, young)


def test_what_is_emptied_stays_the_same_file(files: Files, folder: Path) -> None:
    """For a call that has it open and goes on with what the row then says."""
    blob_id = write(files, [b"spoilt"])
    with opened(files, ROLE, blob_id, at=0) as file:
        files.empty(ROLE, blob_id)
        assert files.size(ROLE, blob_id) == 0
        file.add(page(b"anew")).result()
    assert content(folder, blob_id) == b"anew"
    files.empty(ROLE, new_id())


def test_all_files_of_a_tenant_go_with_their_folder(files: Files, folder: Path) -> None:
    write(files, [b"x"])
    add(files, "krz_t_beta", new_id(), b"x", at=0)
    files.remove_all(ROLE)
    files.remove_all(ROLE)
    assert [each.name for each in folder.iterdir()] == ["krz_t_beta"]

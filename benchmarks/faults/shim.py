"""A centre's clock and disk, through a small library that its processes load before libc."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from console import processes
from console.errors import ConsoleError

_SOURCE: Final = Path(__file__).with_name("shim.c")
_STATE: Final = struct.Struct("=qii")


class Surroundings:
    """The clock and the disk of one centre. Changes hold at once, in every process."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._skew_s = 0
        self._disk_full = False
        self._fsync_us = 0
        file.write_bytes(_STATE.pack(0, 0, 0))
        file.chmod(0o644)

    def set_clock(self, seconds: int) -> None:
        """Let the clock go wrong by so much; 0 is right."""
        self._skew_s = seconds
        self._write()

    @property
    def disk_full(self) -> bool:
        return self._disk_full

    def fill_disk(self, *, full: bool) -> None:
        self._disk_full = full
        self._write()

    def slow_disk(self, *, milliseconds: float) -> None:
        self._fsync_us = round(milliseconds * 1000)
        self._write()

    def mend(self) -> None:
        """Let the clock be right and the disk empty and quick."""
        self._skew_s, self._disk_full, self._fsync_us = 0, False, 0
        self._write()

    def _write(self) -> None:
        # In place: the processes have mapped this very file.
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, _STATE.pack(self._skew_s, self._disk_full, self._fsync_us), 0)
        finally:
            os.close(descriptor)


def build(folder: Path) -> Path:
    """Compile the library; return where it lies."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise ConsoleError(
            "There is no C compiler, so clocks and disks cannot fail.", hint="Install gcc or clang."
        )
    target = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(target), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    target.chmod(0o755)
    return target


@contextmanager
def around(library: Path, centres: Mapping[str, Path]) -> Iterator[None]:
    """Give every process that is started within the block the state file of its centre."""
    spawn = processes.spawn

    def spawn_within(program: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
        env = dict(os.environ if options.get("env") is None else options["env"])
        name = env.get("AMTSBRUECKE_CENTRE") or _centre_of(program, centres)
        if name in centres:
            env |= {"LD_PRELOAD": str(library), "FAULTS_STATE": str(centres[name])}
            if Path(program[0]).name == "postgres":
                env["FAULTS_DISK"] = "1"
        return spawn(program, **{**options, "env": env})

    processes.spawn = spawn_within
    try:
        yield
    finally:
        processes.spawn = spawn


def _centre_of(program: Sequence[str | Path], centres: Mapping[str, Path]) -> str:
    text = " ".join(map(str, program))
    return next((name for name in centres if f"/centres/{name}/" in text), "")

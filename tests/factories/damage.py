"""Harm done to files, as a disk does it."""

from pathlib import Path


def overwrite(path: Path, *, at: int) -> None:
    """Change four bytes of a file; its length stays."""
    with path.open("r+b") as file:
        file.seek(at)
        before = file.read(4)
        file.seek(at)
        file.write(bytes(each ^ 0xFF for each in before))

"""Which file says for which addresses somebody is competent."""

import os
from pathlib import Path

import pytest

from console import areas
from console.errors import ConsoleError


def test_a_pipe_is_refused_in_words(tmp_path: Path) -> None:
    pipe = tmp_path / "areas.csv"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)  # else whoever opens it would wait for ever
    try:
        os.write(held, b"slug;ars;postcode;place\n")
        with pytest.raises(ConsoleError, match="is no regular file"):
            areas.read(pipe, hosted=[])
    finally:
        os.close(held)

"""What the processes say: into a file for each, and to the terminal with a coloured prefix."""

import sys
import threading
from itertools import cycle
from pathlib import Path
from typing import TextIO

import click

_LIMIT = 10 * 1024 * 1024
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")


class Output:
    """Takes lines from many threads, tears none. `terminal=None` keeps the screen free."""

    def __init__(self, terminal: TextIO | None = sys.stdout, *, width: int = 16) -> None:
        self._terminal = terminal
        self._width = width
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}
        self._palette = cycle(_COLOURS)

    def line(self, centre: str, service: str, text: str, *, log: Path | None = None) -> None:
        """Write one line of one process."""
        if log is not None:
            self._keep(log, text)
        if self._terminal is None:
            return
        with self._lock:
            if centre not in self._colours:
                self._colours[centre] = next(self._palette)
            prefix = click.style(
                f"{f'{centre} {service}':<{self._width}} | ", fg=self._colours[centre]
            )
            click.echo(prefix + text, file=self._terminal)

    def _keep(self, log: Path, text: str) -> None:
        """Append to a file that only the thread of this process writes to."""
        if log.exists() and log.stat().st_size > _LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

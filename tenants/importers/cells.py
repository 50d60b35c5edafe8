"""Cells that a spreadsheet would take for a formula. Pure.

The error file is opened in a spreadsheet, mended there and read again, so what is put in front of a
cell on the way out is taken away on the way in.
"""

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")


def guard(cell: str) -> str:
    """Return a cell as text that no spreadsheet calculates: `+49` becomes `'+49`."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguard(cell: str) -> str:
    """Return what `guard` was given."""
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell

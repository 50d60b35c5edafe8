"""The product's command line, with the shim before libc in every process that it starts.

    python -m benchmarks.faults.supervised LIBRARY CENTRE=STATE,CENTRE=STATE ARGUMENT...

LD_PRELOAD for the supervisor alone would not do: engines are started with an environment of their
own.
"""

import sys
from pathlib import Path

from benchmarks.faults import shim
from console.cli import main as console


def main(arguments: list[str]) -> None:
    """Run the command line with the rest of the arguments."""
    library, states, *rest = arguments
    pairs = (each.partition("=") for each in states.split(","))
    with shim.around(Path(library), {name: Path(state) for name, _, state in pairs}):
        console(rest, prog_name="amtsbruecke")


if __name__ == "__main__":
    main(sys.argv[1:])

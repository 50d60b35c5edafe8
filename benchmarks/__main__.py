"""`make bench`: measures the product against the machine it runs on.

    python -m benchmarks [--quick] [--json] [--only G1,G5] [--keep DIR]

Progress goes to standard error, one line a goal to standard output; with --json the last line is an
object. Needs nothing but the repository's own environment; about 20 minutes, with --quick about 4.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import goals
from benchmarks.run import Run, Sizes


def main() -> int:
    """Measure, print, and return 0 if every goal that was measured is met."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer letters, towns and rounds")
    parser.add_argument("--long", action="store_true", help="a backlog of a million letters")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--only", default="", help="goals to measure: G1,G5")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it behind")
    said = parser.parse_args()
    wanted = frozenset(filter(None, said.only.upper().split(",")))
    if unknown := {key for key in wanted if not any(_is(key, known) for known in goals.BY_KEY)}:
        parser.error(f"there is no goal {', '.join(sorted(unknown))}")
    sizes = Sizes.quick() if said.quick else Sizes.long() if said.long else Sizes()
    folder = said.keep or Path(tempfile.mkdtemp(prefix="amtsbruecke-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    run = Run(folder, sizes, wanted)
    try:
        run.all()
    finally:
        if said.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(goals.table(run.values)))
    for line in run.notes:
        print(f"     {line}")
    if said.json:
        print(json.dumps(goals.as_json(run.values)))
    return 0 if all(goals.BY_KEY[key].met(value) for key, value in run.values.items()) else 1


def _is(key: str, known: str) -> bool:
    return known.rstrip("ab") == key


if __name__ == "__main__":
    sys.exit(main())

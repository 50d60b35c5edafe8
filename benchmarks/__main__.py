"""`make bench`: measures the product against the machine it runs on.

    python -m benchmarks [--quick | --long] [--json] [--only G1,G5] [--keep DIR]

Progress goes to standard error, one line a goal to standard output; with --json the last line is an
object. Needs nothing but the repository's own environment. About half an hour, with --quick about
five minutes. Exit code 0 only if all that was asked for was measured and is met.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import goals
from benchmarks.run import Run, Sizes


def main() -> int:
    """Measure, print, and return 0 if every goal that was measured is met."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer letters, towns and rounds")
    parser.add_argument("--long", action="store_true", help="G11, G12 and G17 in full")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--only", default="", help="goals to measure: G1,G5")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it behind")
    said = parser.parse_args()
    # The parts of a goal are measured together: G12a is asked for as G12.
    wanted = frozenset(
        key.strip().rstrip("AB") for key in filter(None, said.only.upper().split(","))
    )
    if unknown := {key for key in wanted if not any(_is(key, known) for known in goals.BY_KEY)}:
        parser.error(f"there is no goal {', '.join(sorted(unknown))}")
    sizes = Sizes.quick() if said.quick else Sizes.long() if said.long else Sizes()
    folder = said.keep or Path(tempfile.mkdtemp(prefix="amtsbruecke-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    run = Run(folder, sizes, wanted)
    # What has been started is stopped on the way out, which SIGTERM by itself would not take.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        run.all()
    finally:
        if said.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(goals.table(run.values, sizes.reduced)))
    for line in run.notes:
        print(f"     {line}")
    if missing := [goal.key for goal in goals.GOALS if goal.key not in run.values]:
        print(f"     not measured: {', '.join(missing)}")
    for problem in run.problems:
        print(f"     PROBLEM {problem}")
    if said.json:
        found = goals.as_json(run.values, sizes.reduced)
        print(json.dumps({**found, "notes": run.notes, "problems": run.problems}))
    asked = wanted or frozenset(goals.BY_KEY) - sizes.left_out
    return verdict(run.values, asked, run.problems)


def verdict(
    values: Mapping[str, float], wanted: frozenset[str], problems: Sequence[str] = ()
) -> int:
    """Return the exit code: 0 if all that was asked for was measured and is met."""
    parts = {known for known in goals.BY_KEY if known.rstrip("ab") in wanted}
    missing = (wanted | parts) - values.keys()
    unmet = [key for key, value in values.items() if not goals.BY_KEY[key].met(value)]
    return 1 if missing or unmet or problems or not values else 0


def _is(key: str, known: str) -> bool:
    return known.rstrip("ab") == key


if __name__ == "__main__":
    sys.exit(main())

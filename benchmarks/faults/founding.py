"""Founds the federation, two hours ago: its keys and certificates must be older than any skew.

python -m benchmarks.faults.founding HOME PORT_BASE     run with the clock put back
"""

import sys
from pathlib import Path

from benchmarks.faults import layout
from console.demo.provisioning import Provisioning
from console.home import Home


def main() -> None:
    """Make what is missing; say the directory's version as the last line."""
    home, base = Home(Path(sys.argv[1])), int(sys.argv[2])
    plan = layout.make(base)
    more = {centre.name: layout.settings(centre, base) for centre in plan.centres}
    version = Provisioning(home=home, plan=plan, report=_say, more=more).run()
    _say(str(version))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()

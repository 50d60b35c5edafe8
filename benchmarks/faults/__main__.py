"""`make faults`: break everything under load, then count.

    python -m benchmarks.faults --messages 5000 --seed 1 --json

Exit code 0 only if nothing was lost, doubled or out of order, all receipts and chains hold and no
process grew. 1 if something is wrong: the folder with databases and logs stays. 130 if it was
interrupted: the same command with the same --home goes on.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults.memory import LONG_RUN
from benchmarks.faults.plan import SPARED, Kind, make
from benchmarks.faults.run import Job, execute
from console.errors import ConsoleError


def main() -> int:
    """Run; return the exit code."""
    asked = _arguments()
    home = asked.home or Path(tempfile.mkdtemp(prefix="faults-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    kills = asked.kills if asked.kills is not None else max(8, asked.messages // 800)
    others = asked.others or max(2, asked.messages // 20_000)
    kinds = [Kind(name) for name in asked.kinds] or list(Kind)
    spared = SPARED if asked.messages >= LONG_RUN else ()
    faults = make(asked.seed, kills=kills, others=others, kinds=kinds, spared=spared)
    begin = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {text}", flush=True)

    say(f"seed {asked.seed}, {len(faults)} faults, data in {home}")
    job = Job(
        home=home.absolute(),
        port_base=asked.port_base,
        messages=asked.messages,
        seed=asked.seed,
        faults=faults,
    )
    try:
        verdict = execute(job, say=say)
    except ConsoleError as problem:
        sys.stderr.write(f"{problem.message}\n{problem.hint}\nThe data stay in {home}.\n")
        return 1
    if verdict.interrupted:
        say(f"interrupted; the same command with --home {home} goes on")
        return 130
    for line in [*verdict.notes, *(f"PROBLEM {each}" for each in verdict.problems)]:
        say(line)
    say("all is well" if verdict.good else f"NOT WELL; the data stay in {home}")
    if asked.json:
        print(json.dumps(verdict.figures))
    if verdict.good and asked.home is None:
        shutil.rmtree(home)
    return 0 if verdict.good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description="Break everything under load.")
    parser.add_argument("--messages", type=int, default=5_000, help="letters to send")
    parser.add_argument("--seed", type=int, default=1, help="the plan is a function of it")
    parser.add_argument("--kills", type=int, help="processes to kill; default: messages / 800")
    parser.add_argument("--others", type=int, help="how often each other fault comes")
    parser.add_argument("--kinds", nargs="*", default=[], choices=[*Kind], help="only these faults")
    parser.add_argument(
        "--home", type=Path, help="folder of all data; kept; resumes if it is there"
    )
    parser.add_argument("--port-base", type=int, default=8_600, help="first of 50 ports")
    parser.add_argument("--json", action="store_true", help="print the figures on the last line")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

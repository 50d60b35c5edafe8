"""Work that is killed in the middle, in a process of its own.

Not in a forked one: it would have the threads of gRPC by name and not in fact, and hang.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def work_and_be_killed(program: str, *arguments: str, process: str, url: str) -> None:
    """Run a program of Python as a process of the centre; it must end by SIGKILL."""
    killed = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={
            **os.environ,
            "AMTSBRUECKE_PROCESS": process,
            f"AMTSBRUECKE_{process.upper()}_DATABASE_URL": url,
        },
        cwd=_ROOT,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr

"""Becomes another program that dies with its parent. Run as a file, never imported.

    python -I -S launcher.py PARENT_PID SIGNAL ACCOUNT PROGRAM [ARGUMENT...]

ACCOUNT is `same`, `UID:GID` (drop to it) or `namespace` (a user namespace in which root is an
ordinary user: so PostgreSQL, which refuses root, can run in a directory that only root may enter).

A program of its own and no `preexec_fn`, because the parent has threads: between fork and exec
of a threaded process no Python may run. The order matters: a change of user clears the death
signal.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
UNPRIVILEGED = 1000


def _assume(account: str) -> None:
    if account == "same":
        return
    if account == "namespace":
        uid, gid = os.getuid(), os.getgid()
        os.unshare(os.CLONE_NEWUSER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{UNPRIVILEGED} {uid} 1"),
            ("gid_map", f"{UNPRIVILEGED} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 -- fast start
                file.write(text)
        return
    uid_text, gid_text = account.split(":")
    os.setgroups([])
    os.setgid(int(gid_text))
    os.setuid(int(uid_text))


def _die_with(parent: int, number: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # the parent was gone before we could ask
        os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Assume the account, tie our life to the parent's, become the program."""
    parent, number, account, *program = arguments
    _assume(account)
    _die_with(int(parent), int(number))
    os.execvp(program[0], program)  # noqa: S606 -- a list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])

"""A block of ports for a federation of the fault run."""

import socket

import pytest

from benchmarks.faults.layout import PORTS


@pytest.fixture
def port_base() -> int:
    """Return the first of enough ports that nobody uses.

    They lie below those that the kernel gives to connections going out: while a process is being
    restarted, such a connection could take its port.
    """
    for base in range(22_000, 32_000, PORTS):
        taken = [socket.socket() for _ in range(PORTS)]
        try:
            for offset, probe in enumerate(taken):
                probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        else:
            return base
        finally:
            for probe in taken:
                probe.close()
    raise AssertionError("no block of ports is free")

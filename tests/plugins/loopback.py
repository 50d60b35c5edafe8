"""No test leaves this machine."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest


def _is_local(family: int, address: Any) -> bool:
    if family == socket.AF_UNIX:
        return True
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, original: Any = original) -> Any:
            if not _is_local(self.family, address):
                pytest.fail(f"a test tried to reach {address!r}; tests stay on this machine")
            return original(self, address)

        patch.setattr(socket.socket, name, guarded)
    yield
    patch.undo()

"""How long a browser may take to say what it wants.

A thread waits for each request that has begun. Whoever begins some and never ends them would hold
all threads, and with them all pages of the centre, without even signing in. So a request has a few
seconds, and more as it goes on sending: a hundred megabytes over a slow line are welcome.
"""

import errno
import socket
import time
from typing import Any, Final

from gunicorn.workers import gthread

#: A request is read within this time, and a second more for each so many bytes that have come.
GRACE_S: Final = 5.0
BYTES_A_SECOND: Final = 16 * 1024
#: Browsers open connections in advance; those wait without a thread.
_FIRST_BYTE_S: Final = 0.02


class Patient:
    """A connection that is read as long as it makes progress.

    Only waiting for the sender counts, not what we do ourselves between two reads.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waited = 0.0
        self._received = 0

    def recv(self, size: int) -> bytes:
        """Return what comes next; whoever has taken too long is treated as gone."""
        left = GRACE_S + self._received / BYTES_A_SECOND - self._waited
        if left <= 0:
            raise _too_slow()
        begin = time.monotonic()
        self._connection.settimeout(left)
        try:
            data = self._connection.recv(size)
        except TimeoutError as error:
            raise _too_slow() from error
        finally:
            self._connection.settimeout(None)
            self._waited += time.monotonic() - begin
        self._received += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _too_slow() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "a request came too slowly")


class PatientWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's threads, each with an end to its patience."""

    def handle(self, conn: Any) -> Any:
        """Serve one request; its time to be read begins now."""
        if not conn.initialized and not conn.wait_for_data(_FIRST_BYTE_S):
            return gthread._DEFER  # noqa: SLF001 -- back to the poller, which needs no thread
        conn.sock.setblocking(True)  # noqa: FBT003 -- the socket's own interface
        conn.init()
        conn.parser.unreader.sock = Patient(conn.sock)
        return super().handle(conn)

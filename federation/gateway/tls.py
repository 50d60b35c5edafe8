"""The server's side of TLS: client certificates required, 1.3 only, renewed without restart."""

import threading
from pathlib import Path

import grpc
import structlog

from federation.links import credentials
from federation.links.errors import CredentialsUnreadable

log = structlog.get_logger(__name__)


class ServerCertificates:
    """Reads the TLS directory anew when one of its files has changed.

    gRPC asks before each handshake. A renewal that is half written, or gone wrong, must not take
    the gateway down: then the certificates in use stay, and the log says so.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._current = credentials.load(directory)

    def credentials(self) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._current),
            self._changed,  # type: ignore[arg-type]  # None is documented; the types lack it
            require_client_authentication=True,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return a new configuration, or None. Called by gRPC's threads; must not raise."""
        with self._lock:
            try:
                if credentials.stamp(self._directory) == self._current.stamp:
                    return None
                self._current = credentials.load(self._directory)
                configuration = _configuration(self._current)
            except CredentialsUnreadable as error:
                log.warning("certificates unreadable", error=error.message)
                return None
            log.info("certificates renewed")
            return configuration


def _configuration(found: credentials.Credentials) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(found.key, found.certificate)], found.authority
    )

"""One channel per peer, rebuilt when its endpoint, its certificate or ours changes."""

import asyncio
import hashlib
import ssl
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import structlog

from centre.keys import pki
from federation.links import credentials, servers
from federation.links.credentials import Credentials
from federation.links.errors import CredentialsUnreadable

log = structlog.get_logger(__name__)

#: A peer is asked for a sign of life this often where nothing else comes from it. Gateways have to
#: permit it (`min_ping_interval_without_data_ms`), or they end the connection.
KEEPALIVE_MS = 5_000
KEEPALIVE_TIMEOUT_MS = 5_000

_MEBIBYTE = 1024 * 1024
#: More than the largest frame of the protocol, less than what would hurt.
MAX_MESSAGE = 8 * _MEBIBYTE


def channel_options(centre_id: str) -> list[tuple[str, str | int]]:
    return [
        ("grpc.ssl_target_name_override", pki.server_name(centre_id)),
        # One way for letters and for the look at the certificate before: straight.
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        # A half-open connection is noticed within ten seconds, also while the stream is idle; with
        # bytes under way within five, which is also the kernel's patience for unacknowledged ones.
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # gRPC also pings to learn the bandwidth. While such a ping is out no other one is sent, and
        # by itself it would be waited for a minute.
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        # The link has a back-off of its own, which contact from the peer resets: when it dials,
        # it shall not sit out a second one inside gRPC.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Despite its name, also the time that a handshake may take.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.enable_retries", 0),
        # One connection per channel: a link that is rebuilt must not meet its predecessor.
        ("grpc.use_local_subchannel_pool", 1),
    ]


@dataclass(slots=True)
class _Open:
    endpoint: str
    credentials: Credentials
    fingerprint: str
    channel: grpc.aio.Channel


class Channels:
    """Hands out the channel to a centre. Belongs to one event loop.

    `listed` returns the fingerprints that the directory has for a centre now.
    """

    def __init__(self, tls_directory: Path, *, listed: Callable[[str], Collection[str]]) -> None:
        self._directory = tls_directory
        self._listed = listed
        self._credentials: Credentials | None = None
        self._context: ssl.SSLContext | None = None
        self._open: dict[str, _Open] = {}
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def channel(self, centre_id: str, endpoint: str) -> grpc.aio.Channel:
        """Return an open channel to the centre, a new one if something about it has changed.

        Only the server whose certificate was compared with the directory can answer on it, also
        after a reconnection. Raises `ServerUnknown` and `Unreached`.
        """
        async with self._opening[centre_id]:
            found = self._open.get(centre_id)
            if found is not None:
                if not self.outdated(centre_id, endpoint):
                    return found.channel
                await self.drop(centre_id)
            wanted, context = self._current()
            leaf = await servers.certificate(
                centre_id, endpoint, ours=context, listed=self._listed(centre_id)
            )
            channel = grpc.aio.secure_channel(
                endpoint,
                wanted.for_channel(server=ssl.DER_cert_to_PEM_cert(leaf).encode()),
                options=channel_options(centre_id),
            )
            fingerprint = hashlib.sha256(leaf).hexdigest()
            self._open[centre_id] = _Open(endpoint, wanted, fingerprint, channel)
            return channel

    def outdated(self, centre_id: str, endpoint: str) -> bool:
        """Return whether `channel` would build a new one: streams on the old must end."""
        found = self._open.get(centre_id)
        return found is not None and (
            found.endpoint != endpoint
            or found.fingerprint not in self._listed(centre_id)
            or found.credentials is not self._current()[0]
        )

    async def drop(self, centre_id: str) -> None:
        """Close the channel to a centre, and with it every call on it."""
        found = self._open.pop(centre_id, None)
        if found is not None:
            await found.channel.close()

    async def close(self) -> None:
        """Close all channels."""
        for centre_id in list(self._open):
            await self.drop(centre_id)

    def _current(self) -> tuple[Credentials, ssl.SSLContext]:
        """Return the newest credentials; a renewal that is half written changes nothing."""
        known = self._credentials
        try:
            if known is None or credentials.stamp(self._directory) != known.stamp:
                newest = credentials.load(self._directory)
                self._context = servers.context(self._directory)
                self._credentials = newest
                if known is not None:
                    log.info("certificate changed")
        except CredentialsUnreadable as error:
            if known is None:
                raise
            log.warning("certificate unreadable", detail=error.message)
        assert self._credentials is not None
        assert self._context is not None
        return self._credentials, self._context

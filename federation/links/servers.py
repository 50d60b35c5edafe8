"""Which server answers at a centre's endpoint: its certificate against the directory.

gRPC shows a client nothing of the server's certificate; it only says that some authority of the
federation signed it for the right name, which it also did for certificates long withdrawn. So we
shake hands ourselves first, see whose certificate it is, and give gRPC this one certificate as all
that it may trust (`channels`). Then nobody else can answer on the connections that letters take.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from centre.keys import pki
from federation.links.credentials import FILES
from federation.links.errors import CredentialsUnreadable, ServerUnknown, Unreached

#: The whole of it: name, connection, handshake.
HANDSHAKE_TIMEOUT_S: Final = 5.0


def context(tls_directory: Path) -> ssl.SSLContext:
    """Return how we shake hands; raise `CredentialsUnreadable` if the files do not fit together."""
    authority, certificate, key = (tls_directory / name for name in FILES)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.set_alpn_protocols(["h2"])
    try:
        made.load_verify_locations(authority)
        made.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsUnreadable(f"{tls_directory}: {error}") from error
    return made


async def certificate(
    centre_id: str, endpoint: str, *, ours: ssl.SSLContext, listed: Collection[str]
) -> bytes:
    """Return the certificate (DER) of the server at the endpoint, if the directory lists it.

    Raises `ServerUnknown` if it is not listed, `Unreached` if there is no server or it cannot prove
    its name.
    """
    host, _, port = endpoint.rpartition(":")
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=ours, server_hostname=pki.server_name(centre_id)
            )
    except (OSError, ValueError) as error:
        raise Unreached(f"{endpoint}: {str(error) or type(error).__name__}") from error
    shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
    leaf = shown.getpeercert(binary_form=True) or b""
    names = shown.getpeercert() or {}
    writer.transport.abort()
    _check(centre_id, leaf, names, listed)
    return leaf


def _check(centre_id: str, leaf: bytes, names: Any, listed: Collection[str]) -> None:
    fingerprint = hashlib.sha256(leaf).hexdigest()
    uris = [
        value
        for kind, value in names.get("subjectAltName", ())
        if kind == "URI" and value.startswith(pki.URI_PREFIX)
    ]
    if uris != [f"{pki.URI_PREFIX}{centre_id}"]:
        raise ServerUnknown(f"the server's certificate {fingerprint} is not of {centre_id!r}")
    if fingerprint not in listed:
        raise ServerUnknown(
            f"the directory does not list the server's certificate {fingerprint} for {centre_id!r}"
        )

"""Who calls: the certificate's URI and fingerprint against the directory, on every call and frame.

mTLS only says that some authority of the federation signed the certificate. Which centre it is, and
whether that centre may speak now, the directory says; removing a centre there stops it at its next
frame, without a restart and without a list of revoked certificates.
"""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from federation.inbox.lookups import Lookups
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason

_URI = re.compile(rb"urn:amtsbruecke:centre:([a-z][a-z0-9-]{0,62})")
_TLS_VERSION = b"TLSv1.3"

type AuthContext = Mapping[str, Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A centre that has proved who it is; `version` of the directory said so last."""

    centre: str
    fingerprint: str
    version: int


class Gatekeeper:
    """Admits peers that the directory knows, and notices when it no longer does."""

    def __init__(self, directory: Callable[[], Lookups]) -> None:
        self._directory = directory

    def identify(self, context: AuthContext) -> Peer:
        """Return whom the certificate names; raise `CallRefused` if it names nobody."""
        if list(context.get("ssl_tls_version", ())) != [_TLS_VERSION]:
            raise CallRefused(Reason.PEER_UNKNOWN, "Only TLS 1.3 is spoken here.")
        named = [match[1] for uri in context.get("peer_uri", ()) if (match := _URI.fullmatch(uri))]
        certificates = list(context.get("x509_pem_cert", ()))
        if len(named) != 1 or len(certificates) != 1:
            raise CallRefused(
                Reason.PEER_UNKNOWN, "The certificate does not name exactly one centre."
            )
        return Peer(named[0].decode(), _fingerprint(certificates[0]), -1)

    def knows(self, peer: Peer) -> bool:
        """Return whether the directory has a centre of this name, whoever the caller is."""
        return self._directory().centre(peer.centre) is not None

    def still_admitted(self, peer: Peer) -> Peer:
        """Return the peer as of the newest directory; raise `CallRefused` if it has fallen out.

        Costs one comparison as long as the directory does not change.
        """
        directory = self._directory()
        if directory.version == peer.version:
            return peer
        centre = directory.centre(peer.centre)
        if centre is None:
            raise CallRefused(Reason.PEER_UNKNOWN, "The directory does not know this centre.")
        if peer.fingerprint not in centre.fingerprints:
            raise CallRefused(
                Reason.CERTIFICATE_UNKNOWN,
                "The directory does not list this certificate for the centre that it names.",
            )
        if centre.state != "active":
            raise CallRefused(Reason.CENTRE_SUSPENDED, "This centre is suspended.")
        return Peer(peer.centre, peer.fingerprint, directory.version)


@lru_cache(maxsize=1024)
def _fingerprint(pem: bytes) -> str:
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()
    except ValueError as error:
        raise CallRefused(Reason.PEER_UNKNOWN, "The certificate cannot be read.") from error

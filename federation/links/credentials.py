"""Our certificate and key, read anew when somebody renews the files."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from federation.links.errors import CredentialsUnreadable

#: What lies in the TLS directory of a centre: authority, our chain, our key.
FILES = ("ca.pem", "centre.pem", "centre.key")

type Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The contents of the TLS directory at one moment."""

    authority: bytes
    certificate: bytes
    key: bytes
    #: Differs when a file was replaced or written to.
    stamp: Stamp

    def for_channel(self, *, server: bytes | None = None) -> grpc.ChannelCredentials:
        """Return credentials that trust whom the authority signed, or only this one `server`."""
        return grpc.ssl_channel_credentials(server or self.authority, self.key, self.certificate)


def stamp(directory: Path) -> Stamp:
    """Return what changes when a file of the TLS directory changes."""
    try:
        found = [(directory / name).stat() for name in FILES]
    except OSError as error:
        raise CredentialsUnreadable(str(error)) from error
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def load(directory: Path) -> Credentials:
    """Read the TLS directory; raise `CredentialsUnreadable` if a file is missing or half written.

    The stamp is taken before the files are read: a renewal in between shows at the next look.
    """
    taken = stamp(directory)
    try:
        authority, certificate, key = ((directory / name).read_bytes() for name in FILES)
    except OSError as error:
        raise CredentialsUnreadable(str(error)) from error
    for name, content in zip(FILES, (authority, certificate, key), strict=True):
        if b"-----END" not in content:
            raise CredentialsUnreadable(f"{directory / name} is not a whole PEM file")
    return Credentials(authority, certificate, key, taken)

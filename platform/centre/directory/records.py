"""What the directory says, as frozen records. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
SIGN: Final = "sign"
SEAL: Final = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key; `purpose` is "sign" or "seal", `not_after` None means no end."""

    kid: str
    purpose: str
    suite: str
    raw: bytes
    not_before: datetime
    not_after: datetime | None = None

    def valid_at(self, moment: datetime, *, skew: timedelta = timedelta()) -> bool:
        """Return whether it is valid at a moment of a clock that may be wrong by `skew`."""
        # Differences: no moment is too early or too late for them.
        begun = self.not_before - moment <= skew
        return begun and (self.not_after is None or moment - self.not_after < skew)


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreRecord:
    """A computing centre: where its gateway is, and by what it is known.

    `fingerprints` are SHA-256 of the DER of its certificates (present and coming), in hexadecimal
    digits; `keys` sign its receipts.
    """

    id: str
    name: str
    endpoint: str
    state: str = ACTIVE
    fingerprints: tuple[str, ...] = ()
    keys: tuple[PublicKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of the country: first digits of regional keys, a postcode, a place; each may be ""."""

    ars_prefix: str = ""
    postcode: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRecord:
    """An authority that can ask or be asked. Only its home centre may represent it."""

    id: UUID
    name: str
    home_centre: str
    kind: str = "municipality"
    ags: str = ""
    ars: str = ""
    state: str = ACTIVE
    keys: tuple[PublicKey, ...] = ()
    areas: tuple[Area, ...] = ()
    postal_address: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole directory at one moment. Version 0 is a centre's own registration."""

    version: int
    published_at: datetime
    expires_at: datetime
    centres: tuple[CentreRecord, ...] = ()
    authorities: tuple[AuthorityRecord, ...] = ()

"""One verified version of the directory, in memory. Pure; never changes; safe for all threads."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final
from uuid import UUID

from centre.directory.competence import CompetenceIndex, Resolution
from centre.directory.records import SEAL, SIGN, AuthorityRecord, CentreRecord, PublicKey, Snapshot
from centre.kernel import clock
from centre.keys.errors import KeyMalformed
from centre.keys.seal import SealPublicKey
from centre.keys.sign import VerifyKey

SEARCH_LIMIT: Final = 20


class AgeGrade(StrEnum):
    """How old the directory is, for operators: an old one forbids nothing by itself.

    Fresh: up to a day. Stale: up to a week, which is worth a look. Old: up to a month, Expired:
    beyond; `amtsbruecke doctor` names both.
    """

    FRESH = "fresh"
    STALE = "stale"
    OLD = "old"
    EXPIRED = "expired"


_GRADES: Final = (
    (timedelta(hours=24), AgeGrade.FRESH),
    (timedelta(days=7), AgeGrade.STALE),
    (timedelta(days=30), AgeGrade.OLD),
)


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key that signs, and when it is valid. What it signed then, it proves for ever."""

    key: VerifyKey
    record: PublicKey

    def valid_at(self, moment: datetime, *, skew: timedelta) -> bool:
        return self.record.valid_at(moment, skew=skew)


class Directory:
    """What everybody asks. `selectors.current()` and `store.load` return it.

    A signing key that is malformed is as one that the directory does not have: it harms nobody
    but its owner.
    """

    def __init__(self, snapshot: Snapshot, *, digest: str) -> None:
        self.snapshot = snapshot
        self.digest = digest
        self.version = snapshot.version
        self._centres = {centre.id: centre for centre in snapshot.centres}
        self._authorities = {authority.id: authority for authority in snapshot.authorities}
        self._signing_keys: dict[tuple[str | UUID, str], ListedKey] = {}
        self._seal_keys: dict[UUID, SealPublicKey] = {}

    def age_grade(self, at: datetime | None = None) -> AgeGrade:
        """Return the grade of the directory's age now, or at a moment."""
        age = (at or clock.now()) - self.snapshot.published_at
        return next((grade for limit, grade in _GRADES if age <= limit), AgeGrade.EXPIRED)

    @property
    def centres(self) -> Mapping[str, CentreRecord]:
        return self._centres

    def centre(self, centre_id: str, /) -> CentreRecord | None:
        return self._centres.get(centre_id)

    def authority(self, authority_id: UUID, /) -> AuthorityRecord | None:
        return self._authorities.get(authority_id)

    def authorities_of(self, centre_id: str, /) -> tuple[AuthorityRecord, ...]:
        return tuple(each for each in self._authorities.values() if each.home_centre == centre_id)

    def seal_key(self, authority_id: UUID, /) -> SealPublicKey | None:
        """Return the key to seal to an authority: the newest that is valid now."""
        known = self._seal_keys.get(authority_id)
        if known is not None:
            return known
        authority = self._authorities.get(authority_id)
        if authority is None:
            return None
        now = clock.now()
        usable = [key for key in authority.keys if key.purpose == SEAL and key.valid_at(now)]
        if not usable:
            return None
        newest = max(usable, key=lambda key: (key.not_before, key.kid))
        key = SealPublicKey(newest.suite, newest.raw)
        if newest.not_after is None and not _successor(authority.keys, newest):
            self._seal_keys[authority_id] = key
        return key

    def verify_key(self, authority_id: UUID, kid: str, /) -> ListedKey | None:
        """Return a key that signs for an authority, or None where the directory has no such key.

        It may have ended, or not have begun: ask it.
        """
        authority = self._authorities.get(authority_id)
        return self._signing(authority_id, kid, authority.keys) if authority else None

    def receipt_key(self, centre_id: str, kid: str, /) -> ListedKey | None:
        """Return a key that signs receipts of a centre, or None. It may have ended."""
        centre = self._centres.get(centre_id)
        return self._signing(centre_id, kid, centre.keys) if centre else None

    def _signing(
        self, owner: str | UUID, kid: str, keys: tuple[PublicKey, ...]
    ) -> ListedKey | None:
        if (known := self._signing_keys.get((owner, kid))) is not None:
            return known
        for key in keys:
            if key.kid == kid and key.purpose == SIGN:
                with suppress(KeyMalformed):
                    listed = ListedKey(VerifyKey.from_bytes(key.raw), key)
                    return self._signing_keys.setdefault((owner, kid), listed)
        return None

    @cached_property
    def _competence(self) -> CompetenceIndex:
        return CompetenceIndex(self._authorities.values())

    def search(self, text: str, *, limit: int = SEARCH_LIMIT) -> tuple[AuthorityRecord, ...]:
        """Return active authorities by part of a name, key or postcode, the likeliest first."""
        return self._competence.search(text, limit=limit)

    def resolve(self, *, postcode: str = "", place: str = "", key: str = "") -> Resolution:
        """Return which authority is competent for an address or has a key, with the reason."""
        return self._competence.resolve(postcode=postcode, place=place, key=key)

    def __repr__(self) -> str:
        return f"Directory(version={self.version})"


def _successor(keys: tuple[PublicKey, ...], present: PublicKey) -> bool:
    return any(key.purpose == SEAL and key.not_before > present.not_before for key in keys)

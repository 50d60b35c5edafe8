"""What admission asks of the directory; `centre.directory`'s snapshot in memory answers it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from centre.keys.sign import VerifyKey


class Centre(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def fingerprints(self) -> Collection[str]: ...


class Authority(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def home_centre(self) -> str: ...


class ListedKey(Protocol):
    """A key that signs, and when it is valid."""

    @property
    def key(self) -> VerifyKey: ...
    def valid_at(self, moment: datetime, *, skew: timedelta) -> bool: ...


class Lookups(Protocol):
    """One version of the directory. Never changes."""

    @property
    def version(self) -> int: ...
    def centre(self, centre_id: str, /) -> Centre | None: ...
    def authority(self, authority_id: UUID, /) -> Authority | None: ...
    def verify_key(self, authority_id: UUID, kid: str, /) -> ListedKey | None: ...

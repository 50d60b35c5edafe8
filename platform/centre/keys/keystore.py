"""The keys of this centre and its municipalities.

Private keys leave the database wrapped and live in this process's memory for a while, by tenant:
the scope that a caller is in decides whose key it gets, never an argument.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from centre.kernel import clock
from centre.keys import sign
from centre.keys.errors import KeyUnknown, MasterKeyWrong
from centre.keys.models import AuthorityKey, CentreKey, Purpose
from centre.keys.seal import DEFAULT_SUITE, SealPrivateKey
from centre.keys.sign import SigningKey
from centre.keys.wrapping import MasterKey
from centre.tenancy import binary
from centre.tenancy.context import Tenant, public_scope, require_tenant, tenant_scope

_CENTRE: Final = "centre"
_SECONDS_IN_MEMORY: Final = 60.0
_KEYS_IN_MEMORY: Final = 4096


@dataclass(frozen=True, slots=True)
class PublicHalf:
    """What the directory publishes of a key."""

    kid: str
    purpose: str
    suite: str
    raw: bytes
    not_before: datetime


class _Memory[K, V]:
    """Keeps what was unwrapped for a minute: long enough to be fast, short enough to rotate."""

    def __init__(self) -> None:
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None and entry[0] > time.monotonic():
            return entry[1]
        value = make()  # outside the lock: two threads may do it twice, none waits for another
        with self._lock:
            self._entries[key] = time.monotonic() + _SECONDS_IN_MEMORY, value
            self._entries.move_to_end(key)
            if len(self._entries) > _KEYS_IN_MEMORY:
                self._entries.popitem(last=False)
        return value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_signing_keys: _Memory[str, SigningKey] = _Memory()
_own_signing_keys: _Memory[tuple[str, str], SigningKey] = _Memory()
_seal_keys: _Memory[tuple[str, str], SealPrivateKey] = _Memory()


def forget() -> None:
    """Drop all keys from this process's memory."""
    for memory in (_signing_keys, _own_signing_keys, _seal_keys):
        memory.clear()
    _master_key.cache_clear()


def check_master_key(*, administrator: object = None) -> str:  # noqa: ARG001
    """Open a key that this centre has, before a new one is wrapped. For `TENANT_CHECKS`.

    Returns the id of that key, "" where there is none yet: the master key of a new centre is the
    one that it is given. Raises `MasterKeyWrong` if it does not open.
    """
    path = settings.AMTSBRUECKE.master_key_file
    _master_key(path)  # or it says what is wrong with the file
    with public_scope():
        kept: list[tuple[AuthorityKey | CentreKey, str]] = [
            *((own, _CENTRE) for own in binary.select(CentreKey, "LIMIT 1")),
            *((row, row.tenant_role) for row in binary.select(AuthorityKey, "LIMIT 1")),
        ]
    if not kept:
        return ""
    key, owner = kept[0]
    try:
        _unwrap(key, owner=owner)
    except MasterKeyWrong as error:
        raise MasterKeyWrong(
            f"The master key {path} is not the one of this centre: {error.message}. Put the copy"
            " from your back-up there."
        ) from error
    return key.kid


def found_keys(*, municipality: Tenant, administrator: object = None) -> None:  # noqa: ARG001
    """Give a new municipality its keys. For `TENANT_FOUNDERS`; repeating it adds nothing."""
    create_authority_keys(municipality=municipality)


def create_authority_keys(*, municipality: Tenant) -> list[PublicHalf]:
    """Make sure that a municipality has a key to sign with and one to be sealed to."""
    with tenant_scope(municipality) as identity:
        present = set(AuthorityKey.objects.values_list("purpose", flat=True))
        if Purpose.SIGN not in present:
            signing = SigningKey.generate()
            AuthorityKey.objects.create(**_row_of_signing(signing, owner=identity.role))
        if Purpose.SEAL not in present:
            sealing = SealPrivateKey.generate(DEFAULT_SUITE)
            AuthorityKey.objects.create(**_row_of_sealing(sealing, owner=identity.role))
        return [_public_half(row) for row in AuthorityKey.objects.order_by("not_before", "kid")]


def authority_public_keys(tenant_role: str) -> list[PublicHalf]:
    """Return the public keys of a municipality, for the directory. Private halves stay behind."""
    rows = AuthorityKey.objects.filter(tenant_role=tenant_role).defer("wrapped")
    return [_public_half(row) for row in rows.order_by("not_before", "kid")]


def signing_key() -> SigningKey:
    """Return the key with which the current tenant signs now; raise `KeyUnknown` without one."""
    role = require_tenant().role

    def load() -> SigningKey:
        return SigningKey.from_bytes(_unwrap(_newest_to_sign(AuthorityKey), owner=role))

    return _signing_keys.get(role, load)


def own_signing_key(kid: str) -> SigningKey:
    """Return a key with which the current tenant has once signed, to prove what it wrote."""
    role = require_tenant().role

    def load() -> SigningKey:
        row = AuthorityKey.objects.filter(kid=kid, purpose=Purpose.SIGN).first()
        if row is None:
            raise KeyUnknown(f"this authority never had the signing key {kid}")
        return SigningKey.from_bytes(_unwrap(row, owner=role))

    return _own_signing_keys.get((role, kid), load)


def seal_private_key(kid: str) -> SealPrivateKey:
    """Return the key of the current tenant that a letter is sealed to; raise `KeyUnknown`."""
    role = require_tenant().role

    def load() -> SealPrivateKey:
        rows = binary.select(AuthorityKey, "WHERE kid = %b AND purpose = 'seal'", [kid])
        if not rows:
            raise KeyUnknown(f"this authority does not have the sealing key {kid}")
        [row] = rows
        return SealPrivateKey.from_bytes(row.suite, _unwrap(row, owner=role))

    return _seal_keys.get((role, kid), load)


def create_centre_keys() -> list[PublicHalf]:
    """Make sure that the centre has a key to sign receipts and audit heads with."""
    if not CentreKey.objects.filter(purpose=Purpose.SIGN).exists():
        check_master_key()
        CentreKey.objects.create(**_row_of_signing(SigningKey.generate(), owner=_CENTRE))
    return centre_public_keys()


def centre_public_keys() -> list[PublicHalf]:
    """Return the centre's public keys, for the directory."""
    rows = CentreKey.objects.defer("wrapped").order_by("not_before", "kid")
    return [_public_half(row) for row in rows]


def centre_signing_key() -> SigningKey:
    """Return the key with which the centre signs now. Web processes may not read it."""

    def load() -> SigningKey:
        return SigningKey.from_bytes(_unwrap(_newest_to_sign(CentreKey), owner=_CENTRE))

    return _signing_keys.get(_CENTRE, load)


_NEWEST_TO_SIGN: Final = """
WHERE purpose = 'sign' AND not_before <= %b ORDER BY not_before DESC, kid DESC LIMIT 1
"""


def _newest_to_sign[K: (AuthorityKey, CentreKey)](kind: type[K]) -> K:
    rows = binary.select(kind, _NEWEST_TO_SIGN, [clock.now()])
    if not rows:
        raise KeyUnknown("there is no valid key to sign with; create the keys first")
    return rows[0]


def _public_half(row: AuthorityKey | CentreKey) -> PublicHalf:
    return PublicHalf(row.kid, row.purpose, row.suite, bytes(row.public), row.not_before)


def _row_of_signing(key: SigningKey, *, owner: str) -> dict[str, Any]:
    return _row(
        kid=key.kid,
        purpose=Purpose.SIGN,
        suite=sign.SUITE,
        public=key.verify_key.raw,
        private=key.to_bytes(),
        owner=owner,
    )


def _row_of_sealing(key: SealPrivateKey, *, owner: str) -> dict[str, Any]:
    return _row(
        kid=key.kid,
        purpose=Purpose.SEAL,
        suite=key.suite.value,
        public=key.public.raw,
        private=key.to_bytes(),
        owner=owner,
    )


def _row(
    *, kid: str, purpose: Purpose, suite: str, public: bytes, private: bytes, owner: str
) -> dict[str, Any]:
    master = _master_key(settings.AMTSBRUECKE.master_key_file)
    return {
        "kid": kid,
        "purpose": purpose,
        "suite": suite,
        "public": public,
        "wrapped": master.wrap(private, kid=kid, purpose=purpose, owner=owner),
        "not_before": clock.now(),
    }


def _unwrap(row: AuthorityKey | CentreKey, *, owner: str) -> bytes:
    master = _master_key(settings.AMTSBRUECKE.master_key_file)
    return master.unwrap(bytes(row.wrapped), kid=row.kid, purpose=row.purpose, owner=owner)


@lru_cache(maxsize=4)
def _master_key(path: Path | None) -> MasterKey:
    if path is None:
        raise MasterKeyWrong("this process has no master key: set AMTSBRUECKE_MASTER_KEY_FILE")
    return MasterKey.from_file(path)

"""Private keys at rest: AES-256-GCM under the centre's master key, which is never in the database.

The key's id, purpose and owner are authenticated with it: a row that somebody gives to another
tenant, or to another use, does not open.
"""

import os
import stat
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from centre.keys.errors import MasterKeyWrong

_FORMAT: Final = b"\1"
_NONCE_SIZE: Final = 12
_KEY_SIZE: Final = 32
_MUST: Final = (
    f"It must be a file of {_KEY_SIZE} bytes that others may not read (mode 0600, or 0640 where a"
    " group needs it). If it is lost, put the copy from your back-up there: no other key opens what"
    " is stored."
)


class MasterKey:
    """Wraps and unwraps. Its representation tells nothing."""

    __slots__ = ("_cipher",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != _KEY_SIZE:
            raise MasterKeyWrong(f"a master key has {_KEY_SIZE} bytes, not {len(raw)}")
        self._cipher = AESGCM(raw)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the key; raise `MasterKeyWrong` that says what is wrong with the file."""
        try:
            with open(path, "rb", opener=_not_waiting) as file:
                found = os.fstat(file.fileno())
                regular = stat.S_ISREG(found.st_mode)
                raw = file.read(_KEY_SIZE) if regular and found.st_size == _KEY_SIZE else b""
        except OSError as error:
            raise MasterKeyWrong(
                f"The master key {path} cannot be read: {error.strerror}. {_MUST}"
            ) from error
        if not regular:
            raise MasterKeyWrong(f"The master key {path} is no regular file. {_MUST}")
        if found.st_mode & 0o007:
            raise MasterKeyWrong(f"Others may read the master key {path}: chmod o= {path}")
        if len(raw) != _KEY_SIZE:
            raise MasterKeyWrong(
                f"The master key {path} has the wrong length, {found.st_size}. {_MUST}"
            )
        return cls(raw)

    @staticmethod
    def create_file(path: Path) -> None:
        """Write a new key for this user only. Never replaces one: that would lose every letter."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY_SIZE))

    def wrap(self, raw: bytes, *, kid: str, purpose: str, owner: str) -> bytes:
        nonce = os.urandom(_NONCE_SIZE)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, raw, _label(kid, purpose, owner))

    def unwrap(self, wrapped: bytes, *, kid: str, purpose: str, owner: str) -> bytes:
        """Return the private key; raise `MasterKeyWrong` for another master key or a moved row."""
        nonce, sealed = wrapped[1 : 1 + _NONCE_SIZE], wrapped[1 + _NONCE_SIZE :]
        if wrapped[:1] != _FORMAT or len(nonce) != _NONCE_SIZE:
            raise MasterKeyWrong(f"the stored key {kid} has an unknown format")
        try:
            return self._cipher.decrypt(nonce, sealed, _label(kid, purpose, owner))
        except InvalidTag as error:
            raise MasterKeyWrong(
                f"the stored key {kid} was wrapped with another master key, or was tampered with"
            ) from error

    def __repr__(self) -> str:
        return "MasterKey()"


def _not_waiting(path: str, flags: int) -> int:
    """Open what may be a pipe to which nobody writes."""
    return os.open(path, flags | os.O_NONBLOCK)


def _label(kid: str, purpose: str, owner: str) -> bytes:
    return f"{kid}|{purpose}|{owner}".encode()

"""The directory in force, for the asyncio processes: SQL instead of the ORM."""

import asyncio
from typing import Any

from psycopg import AsyncConnection

from centre.directory import encoding
from centre.directory.interface import Directory

_VERSION = "SELECT version, digest FROM directory_directorysnapshot ORDER BY version DESC LIMIT 1"
_SIGNED = "SELECT signed FROM directory_directorysnapshot WHERE version = %s"
_NEWEST = "SELECT version, signed FROM directory_directorysnapshot ORDER BY version DESC LIMIT 1"
_ONE = "SELECT version, signed FROM directory_directorysnapshot WHERE version = %s"


async def load(
    connection: AsyncConnection[Any], *, known: Directory | None = None
) -> Directory | None:
    """Return the newest verified version, `known` itself if that is it, or None without any.

    Costs one tiny query while nothing changes; a new version is read in a thread.
    """
    cursor = await connection.execute(_VERSION)
    row = await cursor.fetchone()
    if row is None:
        return None
    version, digest = row
    if known is not None and (known.version, known.digest) == (version, digest):
        return known
    cursor = await connection.execute(_SIGNED, [version])
    (signed,) = await cursor.fetchone() or (b"",)
    snapshot = await asyncio.to_thread(encoding.read_trusted, bytes(signed))
    return Directory(snapshot, digest=digest)


async def signed_snapshot(
    connection: AsyncConnection[Any], *, version: int = 0
) -> tuple[int, bytes] | None:
    """Return version and signed bytes of one version (0: the newest), or None."""
    cursor = await (connection.execute(_ONE, [version]) if version else connection.execute(_NEWEST))
    row = await cursor.fetchone()
    return (row[0], bytes(row[1])) if row else None

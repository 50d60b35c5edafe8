"""What the workers of a process share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from centre.directory.interface import Directory
from federation.blobs.files import Files
from federation.dispatch.surroundings import Around
from federation.links.channels import Channels

#: Errors that tell of our own database, not of the peer.
DATABASE_TROUBLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # The server has ended a transaction that hung: not operational, as the standard has it.
    psycopg.errors.IdleInTransactionSessionTimeout,
    PoolTimeout,
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What all links of a process share."""

    around: Around
    directory: Callable[[], Directory]
    channels: Channels
    #: The folder of our documents, where they are not kept in rows.
    documents: Files | None
    #: Called when a peer hints that our directory is behind.
    refresh_directory: Callable[[], None]

"""What a session needs from around it, as little as it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from centre.directory.interface import ListedKey


class Call(Protocol):
    """The stream as gRPC gives it: a `grpc.aio.StreamStreamCall`."""

    async def write(self, request: pb.ExchangeRequest) -> None: ...
    async def read(self) -> Any: ...
    async def done_writing(self) -> None: ...


class Database(Protocol):
    """Lends connections: a `psycopg_pool.AsyncConnectionPool`."""

    def connection(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What a session needs of its process."""

    origin: str
    database: Database
    directory_version: Callable[[], int]
    #: The key of a centre with this id, for its receipts.
    key_of: Callable[[str, str], ListedKey | None]
    #: Called after receipts were stored.
    on_receipts: Callable[[], None]

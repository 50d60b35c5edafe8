"""`DirectoryService`: serves the signed snapshots that this installation keeps."""

from typing import Any, Final

import grpc
from amtsbruecke.directory.v1beta1 import directory_service_pb2 as pb
from amtsbruecke.directory.v1beta1 import directory_service_pb2_grpc as pb_grpc
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from centre.directory import store
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.wire.errors import to_abort

PART_SIZE: Final = 2 * 1024 * 1024
_WAIT_S: Final = 5.0


class DirectoryServicer(pb_grpc.DirectoryServiceServicer):
    """Hands out snapshots in parts; the newest one stays in memory between the parts."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._last: tuple[int, bytes] | None = None

    async def GetSnapshot(  # noqa: N802 -- the name of the RPC
        self, request: pb.GetSnapshotRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetSnapshotResponse:
        try:
            return await self._answer(request)
        except CallRefused as error:
            refusal = error
        except (OperationalError, PoolTimeout) as error:
            refusal = CallRefused(Reason.UNAVAILABLE, f"no database: {type(error).__name__}")
        abort = to_abort(refusal)
        await context.abort(abort.code, abort.details, abort.trailing_metadata)
        raise refusal  # abort raises; this tells the type checker so

    async def _answer(self, request: pb.GetSnapshotRequest) -> pb.GetSnapshotResponse:
        version, signed = await self._snapshot(request.version)
        if not request.version and version <= request.known_version:
            return pb.GetSnapshotResponse(version=request.known_version)
        if request.offset and request.offset >= len(signed):
            raise CallRefused(
                Reason.OFFSET_WRONG, f"version {version} has {len(signed)} bytes only"
            )
        part = signed[request.offset : request.offset + PART_SIZE]
        return pb.GetSnapshotResponse(version=version, size=len(signed), data=part)

    async def _snapshot(self, wanted: int) -> tuple[int, bytes]:
        if wanted and self._last is not None and self._last[0] == wanted:
            return self._last
        async with self._pool.connection(timeout=_WAIT_S) as connection:
            found = await store.signed_snapshot(connection, version=wanted)
        if found is None:
            raise CallRefused(
                Reason.SNAPSHOT_UNKNOWN,
                f"no version {wanted} is kept here" if wanted else "there is no directory here yet",
            )
        self._last = found
        return found


def register(server: grpc.aio.Server, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
    """Add the directory's service to a server."""
    pb_grpc.add_DirectoryServiceServicer_to_server(DirectoryServicer(pool), server)

"""Fetches a newer snapshot from another installation, with a deadline and a size limit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from amtsbruecke.directory.v1beta1 import directory_service_pb2 as pb
from amtsbruecke.directory.v1beta1 import directory_service_pb2_grpc as pb_grpc

from centre.directory.encoding import MAX_SIZE
from federation.links import credentials
from federation.links.channels import channel_options
from federation.links.errors import LinkError
from federation.protocol.reasons import Reason
from federation.wire.errors import from_rpc_error

_DEADLINE_S: Final = 20.0


class FetchFailed(LinkError):
    """The directory could not be fetched from there."""

    reason = "DIRECTORY_FETCH_FAILED"


class NothingPublished(FetchFailed):
    """There is no directory at all yet."""

    reason = "DIRECTORY_NOT_PUBLISHED"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a snapshot may be had.

    `centre` names the centre that the certificate there must be for; without it, the certificate
    must be for the endpoint's host.
    """

    endpoint: str
    centre: str = ""


def fetch(source: Source, *, tls_directory: Path, known_version: int) -> bytes | None:
    """Return the newest signed snapshot there if its version is above `known_version`, else None.

    Raises `FetchFailed`. What comes back is not verified: `directory.services.apply` does that.
    """
    options: list[tuple[str, str | int]] = [("grpc.max_receive_message_length", 4 * 1024 * 1024)]
    if source.centre:
        options = list(channel_options(source.centre))
    trust = credentials.load(tls_directory).for_channel()
    with grpc.secure_channel(source.endpoint, trust, options=options) as channel:
        stub = pb_grpc.DirectoryServiceStub(channel)
        try:
            return _collect(stub, known_version)
        except grpc.RpcError as error:
            failure = from_rpc_error(error)
            if failure.reason == Reason.SNAPSHOT_UNKNOWN:
                raise NothingPublished(f"{source.endpoint} has no directory yet.") from error
            raise FetchFailed(
                f"{source.endpoint} does not hand out the directory: {failure.reason} "
                f"({failure.message})"
            ) from error


def _collect(stub: pb_grpc.DirectoryServiceStub, known_version: int) -> bytes | None:
    request = pb.GetSnapshotRequest(known_version=known_version)
    first = stub.GetSnapshot(request, timeout=_DEADLINE_S)
    if not first.size or first.version <= known_version:
        return None
    if first.size > MAX_SIZE:
        raise FetchFailed(f"A directory of {first.size} bytes is larger than {MAX_SIZE}.")
    parts = bytearray(first.data)
    while len(parts) < first.size:
        request = pb.GetSnapshotRequest(version=first.version, offset=len(parts))
        part = stub.GetSnapshot(request, timeout=_DEADLINE_S)
        if not part.data or part.size != first.size:
            raise FetchFailed("The directory ended before its end.")
        parts += part.data
    if len(parts) != first.size:
        raise FetchFailed("The directory is longer than was said.")
    return bytes(parts)

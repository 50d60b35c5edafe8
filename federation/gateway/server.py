"""The gRPC server: what it listens to, and the limits that hold before any of our code runs."""

from collections.abc import Callable, Iterable
from typing import Final

import grpc
from amtsbruecke.exchange.v1beta1 import blob_service_pb2, link_service_pb2
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2_grpc

from federation.gateway.blobs import BlobServicer
from federation.gateway.calls import tolerant
from federation.gateway.desk import Desk
from federation.gateway.doorstep import Doorstep
from federation.gateway.links import LinkServicer
from federation.protocol import limits
from federation.wire import blob_parts

LINK_SERVICE: Final = "amtsbruecke.exchange.v1beta1.LinkService"
BLOB_SERVICE: Final = "amtsbruecke.exchange.v1beta1.BlobService"
DIRECTORY_SERVICE: Final = "amtsbruecke.directory.v1beta1.DirectoryService"

#: Adds a service to a server. For services of other rooms, such as the directory's.
type Register = Callable[[grpc.aio.Server], None]

_OPTIONS: Final = (
    # Our own answer to a frame that is too large says more than the transport's: leave it room.
    ("grpc.max_receive_message_length", limits.MAX_FRAME_BYTES + limits.MIB),
    ("grpc.max_send_message_length", limits.MAX_FRAME_BYTES),
    ("grpc.max_concurrent_streams", 64),
    # Connections are renewed, so that certificates and addresses are; streams end before that.
    ("grpc.max_connection_age_ms", 60 * 60 * 1000),
    ("grpc.max_connection_age_grace_ms", 60 * 1000),
    # A connection whose other end has silently gone is found out.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    # Less than the interval at which peers ask for a sign of life (`links/channels.py`).
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.http2.max_ping_strikes", 3),
    ("grpc.max_metadata_size", 16 * limits.KIB),
)
#: More than many centres together may hold, each up to its own limits (8 calls, 4 streams and 4
#: uploads): beyond it gRPC refuses anybody, the honest too.
_MAX_CALLS: Final = 2048


def build(
    services: Iterable[Register], *, shared_port: bool = False
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """Return a server with these services and the standard health service.

    With `shared_port` the kernel spreads connections over all gateways that listen there; without,
    a second gateway on the same address is a mistake and does not start.
    """
    options = (*_OPTIONS, ("grpc.so_reuseport", int(shared_port)))
    server = grpc.aio.server(
        interceptors=[Doorstep()], options=options, maximum_concurrent_rpcs=_MAX_CALLS
    )
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    for register in services:
        register(server)
    return server, state


def exchange(desk: Desk) -> Register:
    """Return what adds `LinkService` and `BlobService`."""

    def register(server: grpc.aio.Server) -> None:
        links, blobs = LinkServicer(desk), BlobServicer(desk)
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    LINK_SERVICE,
                    {
                        "Exchange": grpc.stream_stream_rpc_method_handler(
                            links.Exchange,
                            tolerant(link_service_pb2.ExchangeRequest.FromString),
                            _serialise,
                        ),
                        "Deliver": grpc.unary_unary_rpc_method_handler(
                            links.Deliver,
                            tolerant(link_service_pb2.DeliverRequest.FromString),
                            _serialise,
                        ),
                        "GetPosition": grpc.unary_unary_rpc_method_handler(
                            links.GetPosition,
                            tolerant(link_service_pb2.GetPositionRequest.FromString),
                            _serialise,
                        ),
                    },
                ),
                grpc.method_handlers_generic_handler(
                    BLOB_SERVICE,
                    {
                        "PutBlob": grpc.stream_unary_rpc_method_handler(
                            blobs.PutBlob, tolerant(blob_parts.read_part), _serialise
                        ),
                        "GetBlobOffset": grpc.unary_unary_rpc_method_handler(
                            blobs.GetBlobOffset,
                            tolerant(blob_service_pb2.GetBlobOffsetRequest.FromString),
                            _serialise,
                        ),
                    },
                ),
            )
        )

    return register


def _serialise(message: Message) -> bytes:
    return message.SerializeToString()

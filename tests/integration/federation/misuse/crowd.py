"""Callers in a process of their own: what is measured is the gateway's memory, not theirs.

`python -m tests.integration.federation.misuse.crowd`: reads from its standard input, as JSON, whom
to call by which name, which method, with which certificates, and how often with each. It says
nothing on these streams, and prints how many of them ended for which reason.
"""

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

from federation.wire.errors import from_rpc_error  # isort: skip -- makes gRPC speak TLS 1.3
import grpc


async def why_it_ends(call: Any) -> str:
    """Say nothing; return why the call ended."""
    try:
        status = await call.code()
    except asyncio.CancelledError:
        return "cancelled"
    trailers = await call.trailing_metadata()
    details = await call.details()
    error = grpc.aio.AioRpcError(status, grpc.aio.Metadata(), trailers, details)
    return str(from_rpc_error(error).reason)


async def _stand_there(said: dict[str, Any]) -> Counter[str]:
    async with AsyncExitStack() as stack:
        calls: list[Any] = []
        for each in said["certificates"]:
            channel = grpc.aio.secure_channel(
                said["address"],
                grpc.ssl_channel_credentials(
                    said["ca"].encode(), each["key"].encode(), each["pem"].encode()
                ),
                options=[("grpc.ssl_target_name_override", said["name"])],
            )
            await stack.enter_async_context(channel)
            calls += [channel.stream_stream(said["method"])() for _ in range(said["times"])]
        return Counter(await asyncio.gather(*map(why_it_ends, calls)))


if __name__ == "__main__":
    json.dump(asyncio.run(_stand_there(json.load(sys.stdin))), sys.stdout)

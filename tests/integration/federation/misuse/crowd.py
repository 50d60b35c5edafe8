"""Callers in a process of their own: neither their memory nor their time is the gateway's.

`python -m tests.integration.federation.misuse.crowd`: reads a line of JSON from its standard input:
whom to call by which name, which method, with which certificates, how often with each, what to say
first if anything, and how many calls are to stay open. Once no more than these are, it prints how
many ended for which reason; the others it holds until its input ends.
"""

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any

from federation.wire.errors import from_rpc_error  # isort: skip -- makes gRPC speak TLS 1.3
import grpc

from federation.links.endings import Truthful


async def _why_it_ends(call: Truthful, first: bytes) -> str:
    """Say no more than that; return why the call ended."""
    try:
        with suppress(asyncio.InvalidStateError):  # it has ended: reading tells why
            if first:
                await call.write(first)
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return str(from_rpc_error(error).reason)
    return "answered"


async def _stand_there(said: dict[str, Any]) -> None:
    first = bytes.fromhex(said["first"])
    async with AsyncExitStack() as stack:
        calls: list[Truthful] = []
        for each in said["certificates"]:
            channel = grpc.aio.secure_channel(
                said["address"],
                grpc.ssl_channel_credentials(
                    said["ca"].encode(), each["key"].encode(), each["pem"].encode()
                ),
                options=[
                    ("grpc.ssl_target_name_override", said["name"]),
                    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
                ],
            )
            await stack.enter_async_context(channel)
            # On the wire, a single call is a stream that ends after one request.
            calls += [
                Truthful(channel.stream_stream(said["method"])()) for _ in range(said["times"])
            ]
        open_ = {asyncio.create_task(_why_it_ends(call, first)) for call in calls}
        reasons: Counter[str] = Counter()
        while len(open_) > said["stay"]:
            ended, open_ = await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
            reasons.update(each.result() for each in ended)
        print(json.dumps(reasons), flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_stand_there(json.loads(sys.stdin.readline())))

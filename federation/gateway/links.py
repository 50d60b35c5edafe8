"""`LinkService`: the doors through which letters come in. They parse, call the desk and answer."""

import asyncio
import random
from typing import Any

from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from federation.gateway import frames
from federation.gateway.calls import Context, Malformed, admitted, expect
from federation.gateway.desk import Desk
from federation.gateway.guards import Guard
from federation.gateway.sessions import Session
from federation.protocol.errors import CallRefused
from federation.protocol.reasons import Reason
from federation.wire.frames import write_welcome

#: A stream ends by itself before gRPC would cut its connection, so that nothing is under way then.
STREAM_AGE_S = 50 * 60
_MAX_RECEIPTS = 64


class LinkServicer:
    """Takes letters by stream or by single calls; both move the same link."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._streams = Guard(at_once=4, rate=5, burst=20)
        self._calls = Guard(at_once=8, rate=200, burst=400)

    async def Exchange(self, _requests: Any, context: Context) -> None:  # noqa: N802 -- gRPC's name
        async with admitted(self._desk, context, self._streams) as peer:
            session = Session(self._desk, peer, context)
            age = asyncio.get_running_loop().call_later(
                STREAM_AGE_S * random.uniform(0.8, 1),  # noqa: S311 -- spreads reconnects
                session.end,
                CallRefused(Reason.DRAINING, "This stream is old; open another one."),
            )
            try:
                with self._desk.stream(peer, session):
                    await session.run()
            finally:
                age.cancel()

    async def Deliver(  # noqa: N802 -- gRPC's name
        self, request: pb.DeliverRequest | Malformed, context: Context
    ) -> pb.DeliverResponse:
        async with admitted(self._desk, context, self._calls) as peer:
            request = expect(request, pb.DeliverRequest)
            welcome = await self._desk.greet(peer, frames.check_hello(request.hello, peer))
            frame = frames.place(request.batch, expected=welcome.in_lseq + 1)
            if frame.repeats:
                return pb.DeliverResponse(receipts=await self._desk.answer_repeat(peer, frame))
            frame.examined = self._desk.examine(peer, frame)
            await frame.verified()
            # A caller that hangs up must not tear a commit apart.
            task = asyncio.create_task(self._desk.commit(peer, [frame]))
            self._desk.keep(task)
            return pb.DeliverResponse(receipts=[await asyncio.shield(task)])

    async def GetPosition(  # noqa: N802 -- gRPC's name
        self, request: pb.GetPositionRequest | Malformed, context: Context
    ) -> pb.GetPositionResponse:
        async with admitted(self._desk, context, self._calls) as peer:
            hello = frames.check_hello(expect(request, pb.GetPositionRequest).hello, peer)
            welcome = await self._desk.greet(peer, hello)
            response = pb.GetPositionResponse(welcome=write_welcome(welcome))
            async for receipt in self._desk.receipts(
                peer, after=hello.acked_lseq, up_to=welcome.in_lseq
            ):
                response.receipts.append(receipt)
                if len(response.receipts) == _MAX_RECEIPTS:
                    break
            return response

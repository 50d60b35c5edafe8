"""The network in front of one centre: a TCP proxy that can cut, swallow and break off."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, Self

_CHUNK: Final = 64 * 1024


class _Pair:
    """A connection through the proxy, with what it swallows."""

    def __init__(self, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.writers = writers
        self.swallows_forth = False
        self.swallows_back = False
        #: The connection ends after so many more bytes from the caller.
        self.left: int | None = None

    @property
    def swallows(self) -> bool:
        return self.swallows_forth or self.swallows_back

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Forwards to one gateway port, from a thread of its own. Its verbs may be called anywhere."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._pairs: set[_Pair] = set()
        self._open = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}")
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: What faults have done: connections not let in, bytes swallowed, connections broken off.
        self.refused = 0
        self.swallowed = 0
        self.broken = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- faults ------------------------------------------------------------------------------

    def cut(self) -> int:
        """End all connections and let none begin; return how many ended."""
        return self._call(self._set_open(is_open=False))

    def heal(self) -> None:
        """Let connections begin again."""
        self._call(self._set_open(is_open=True))

    def half_open(self) -> None:
        """Let every present connection swallow everything, for ever; new ones are well."""
        self._call(self._swallow(forth=True))

    def mute(self) -> None:
        """Let every present connection carry letters but no receipts."""
        self._call(self._swallow(forth=False))

    def hang_up(self) -> int:
        """End all present connections; return how many."""
        return self._call(self._hang_up())

    def break_after(self, size: int) -> None:
        """End each present connection after so many more bytes from the caller."""
        self._call(self._break_after(size))

    # -- in the loop -------------------------------------------------------------------------

    def _call[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._hang_up()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set_open(self, *, is_open: bool) -> int:
        self._open = is_open
        return 0 if is_open else await self._hang_up()

    async def _hang_up(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.close()
        return len(pairs)

    async def _swallow(self, *, forth: bool) -> None:
        for pair in self._pairs:
            pair.swallows_back = True
            pair.swallows_forth = pair.swallows_forth or forth

    async def _break_after(self, size: int) -> None:
        for pair in self._pairs:
            if pair.left is None:
                pair.left = size

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair((writer, back))
        self._pairs.add(pair)
        ways = [
            asyncio.create_task(self._pump(pair, reader, back, forth=True)),
            asyncio.create_task(self._pump(pair, there, writer, forth=False)),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways)
        self._tasks.difference_update(ways)
        self._pairs.discard(pair)

    async def _pump(
        self,
        pair: _Pair,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        forth: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if pair.swallows_forth if forth else pair.swallows_back:
                    self.swallowed += len(data)
                    continue
                if forth and pair.left is not None:
                    data = data[: pair.left]
                    pair.left -= len(data)
                writer.write(data)
                await writer.drain()
                if forth and pair.left == 0:
                    self.broken += 1
                    break
        # A connection that swallows stays open: to its ends it looks alive.
        if not pair.swallows:
            pair.close()
        else:
            writer.transport.abort()

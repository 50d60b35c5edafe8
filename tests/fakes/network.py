"""A way to a server on which connections can go silent, as behind a router that lost power."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_CHUNK = 64 * 1024


@dataclass
class Way:
    """Forwards connections to `target`, a port of this machine."""

    target: int
    _silent: set[asyncio.StreamWriter] = field(default_factory=set)
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    def fall_silent(self) -> None:
        """Let the connections that are open swallow all bytes and never end; new ones are well."""
        self._silent |= self._ends

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Forward within the block; yields the address to call."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for end in self._ends:
                end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._ends |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if writer not in self._silent:
                    writer.write(data)
                    await writer.drain()
            if writer not in self._silent:
                writer.close()

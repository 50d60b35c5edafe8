"""Buffers in turns: one is filled while what was in the others is stored."""

from mmap import mmap


class Buffers:
    """A few buffers of one size; no others are ever made, however long a document is.

    They begin at the border of a page, as direct writes and reads need it.
    """

    def __init__(self, size: int, *, count: int) -> None:
        self._buffers = [memoryview(mmap(-1, size)) for _ in range(count)]
        self._turn = 0
        self._filled = 0

    @property
    def left(self) -> int:
        """How many bytes still go into the buffer."""
        return len(self._buffers[self._turn]) - self._filled

    def place(self, most: int) -> memoryview:
        """Return where the next bytes go: what is left of the buffer, but not more than `most`."""
        begin = self._filled
        self._filled += min(most, self.left)
        return self._buffers[self._turn][begin : self._filled]

    def turn(self, *, cut: int = 1) -> memoryview:
        """Return what was filled, in whole pieces of `cut` bytes, and go on with the next buffer.

        That one begins with what was cut off. The caller has seen to it that nobody needs what was
        in it before.
        """
        buffer, whole = self._buffers[self._turn], self._filled - self._filled % cut
        rest = buffer[whole : self._filled]
        self._turn = (self._turn + 1) % len(self._buffers)
        self._filled = len(rest)
        self._buffers[self._turn][: len(rest)] = rest
        return buffer[:whole]

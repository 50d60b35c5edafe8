"""Work in threads that nobody leaves behind."""

import asyncio
import threading

import pytest

from centre.kernel.threads import to_its_end


async def test_who_is_cancelled_waits_for_the_work() -> None:
    begun, may_end, done = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(10)
        done.append(True)

    task = asyncio.create_task(to_its_end(work))
    await begun.wait()
    for _ in range(2):
        task.cancel()
        assert await asyncio.wait([task], timeout=0) == (set(), {task})
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


async def test_an_error_of_the_work_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await to_its_end(lambda: 1 / 0)

import asyncio

from structlog.testing import capture_logs

from centre.keys.errors import KeyUnknown
from centre.keys.sign import SigningKey
from federation.gateway.view import NOBODY, Lookout, View


async def test_trouble_is_told_once_and_again_when_it_changes() -> None:
    """A centre without municipalities has no key yet, for as long as its operator likes."""
    no_key, no_database = KeyUnknown("no key"), OSError("no database")
    troubles: list[Exception] = [no_key, no_key, no_key, no_database, no_database, no_key]

    async def load(_: View | None) -> View:
        if troubles:
            raise troubles.pop(0)
        return View(directory=NOBODY, hosts={}, key=SigningKey.generate())

    lookout = Lookout(load, interval=0)
    with capture_logs() as told:
        assert await lookout.wait(asyncio.Event())
        assert await lookout.wait(asyncio.Event())
    assert [(each["event"], each.get("error")) for each in told] == [
        ("view not refreshed", no_key),
        ("view not refreshed", no_database),
        ("view not refreshed", no_key),
        ("view refreshed again", None),
    ]

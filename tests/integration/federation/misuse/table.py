"""The table of misuses: what a hostile or broken peer may try, and how it must be answered.

A case is a function that misuses one side and returns how it was answered: the reason of a call or
an item that was refused, or one of `Answer`. Strangers do it with nothing but the proto files
(`speaker`); the others bend what our own programs would say.
`python -m tests.integration.federation.misuse.table` prints the page.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from federation.protocol.reasons import Reason


class Answer(StrEnum):
    """How a misuse ends that never reaches our code, or that cannot be told from an accident."""

    HANDSHAKE = "no connection: the TLS handshake fails"
    CLOSED = "the connection is closed"
    UNIMPLEMENTED = "UNIMPLEMENTED: there is no such method"
    CUT = "the call is cut off by the transport"
    BORNE = "borne: nothing happens, and nobody else notices"
    REPEATED = "answered with the receipt that it had; stored once"
    DUPLICATE = "receipted as a duplicate; stored once"
    APART = "accepted as a letter of its own; the other centre's stays as it is"


@dataclass(frozen=True)
class Answered:
    """How a misuse was answered, and the honest letters among it: they stay, and nothing else."""

    answer: str
    kept: tuple[bytes, ...] = ()


type Misuse = Callable[[Any], Awaitable[str | Answered]]


FEW: Final = 5
MANY: Final = 5000


@dataclass(frozen=True)
class Case:
    name: str
    misuse: Misuse
    #: The documented answer: of the gateway, or the fault that dispatch notes with the link.
    expected: str
    alarm: bool
    group: str
    #: So many letters wait for a receiver.
    letters: int = FEW


#: What is tried against the gateway, by a centre that sends.
CASES: Final[list[Case]] = []
#: What is tried against a gateway process, by a sender that knows nothing but the proto files.
STRANGERS: Final[list[Case]] = []
#: What is tried against dispatch, by a centre that receives.
HOSTILE_RECEIVERS: Final[list[Case]] = []
#: What is tried against dispatch, by a receiver that knows nothing but the proto files.
STRANGE_RECEIVERS: Final[list[Case]] = []


@dataclass(frozen=True)
class Group:
    """Enters misuses of one kind."""

    title: str
    table: list[Case]

    def case(self, expected: str, *, alarm: bool = False) -> Callable[[Misuse], Misuse]:
        """Enter the decorated function."""

        def enter(misuse: Misuse) -> Misuse:
            self.add(misuse.__name__, misuse, expected, alarm=alarm)
            return misuse

        return enter

    def add(
        self, name: str, misuse: Misuse, expected: str, *, alarm: bool = False, letters: int = FEW
    ) -> None:
        """Enter a misuse that was generated."""
        self.table.append(Case(name, misuse, expected, alarm, self.title, letters))


def group(title: str) -> Group:
    """Return a group of misuses of the gateway."""
    return Group(title, CASES)


def strangers(title: str) -> Group:
    """Return a group of misuses of a gateway process."""
    return Group(title, STRANGERS)


def receivers(title: str) -> Group:
    """Return a group of misuses of dispatch."""
    return Group(title, HOSTILE_RECEIVERS)


def strange_receivers(title: str) -> Group:
    """Return a group of misuses of dispatch by strangers."""
    return Group(title, STRANGE_RECEIVERS)


_HEAD = """\
# How misuse of the protocol is answered

Made from the tests (`python -m tests.integration.federation.misuse.table`). Each line is tried
there by a hostile peer. After it nothing of it is stored (where an honest letter came first, that
one and no other), no error of ours is in the log, memory has stayed within its bound, and another
centre's letters went through before, meanwhile and after.
A *stranger* knows nothing but the proto files; the others bend what our own programs would say.
An *alarm* is shown to the operator.
"""


def page() -> str:
    """Return the page of the reference."""
    parts = [_HEAD]
    for heading, table in (
        ("A sender against the gateway", CASES),
        ("A stranger with the proto files against a gateway process", STRANGERS),
        ("A receiver against dispatch", HOSTILE_RECEIVERS),
        ("A stranger with the proto files as receiver against dispatch", STRANGE_RECEIVERS),
    ):
        parts.append(f"\n## {heading}: {len(table)} cases\n")
        for title in dict.fromkeys(case.group for case in table):
            parts.append(f"\n### {title}\n\n| misuse | answer | alarm |\n|---|---|---|\n")
            for case in table:
                if case.group == title:
                    answer = f"`{case.expected}`" if case.expected in _CODES else case.expected
                    words = case.name.replace("_", " ")
                    parts.append(f"| {words} | {answer} | {'alarm' if case.alarm else ''} |\n")
    return "".join(parts)


_CODES: Final = (
    frozenset(Reason)
    | {"RECEIPT_INVALID", "POSITION_IMPOSSIBLE", "WRONG_PEER"}
    | {"WELCOME_MISSING", "FRAME_UNKNOWN", "RECEIPT_MISSING", "STREAM_ENDED"}
)

if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")
    django.setup()
    from tests.integration.federation.misuse import everything

    print(everything.page(), end="")  # noqa: T201

"""What a stranger does who has nothing but the proto files, to a gateway that is a process."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from amtsbruecke.exchange.v1beta1 import envelope_pb2
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb

from tests.integration.federation.misuse.speaker import (
    SERVICE,
    Authority,
    Caller,
    Stream,
    batch,
    envelope,
    hello,
    letter,
    reason,
)
from tests.integration.federation.misuse.table import Answer, Answered, strangers
from tests.integration.federation.misuse.victim import CROWD, HONEST, Victim
from tests.two_centres.conftest import eventually

_GROUP = strangers("The protocol by its description only")

_MIB: Final = 2**20


@dataclass
class Attack:
    """One stranger and its victim."""

    victim: Victim
    name: str

    @property
    def me(self) -> Caller:
        return self.victim.callers[self.name]

    @property
    def authority(self) -> Authority:
        return self.victim.authorities[self.name]

    def envelope(self, **changes: Any) -> envelope_pb2.Envelope:
        return envelope(self.name, self.authority, self.victim.recipient, **changes)

    def letter(self, **changes: Any) -> bytes:
        return letter(self.envelope(**changes), self.authority)

    @property
    def hello(self) -> pb.ExchangeRequest:
        return pb.ExchangeRequest(hello=hello(self.name))


@_GROUP.case("UNAVAILABLE")
async def stranger_with_a_foreign_certificate(attack: Attack) -> str:
    foreign = type(attack.victim.trust)("Fremd").issue(HONEST)
    return await attack.victim.caller(HONEST, foreign).tell(pb.ExchangeRequest(hello=hello(HONEST)))


@_GROUP.case("CERTIFICATE_UNKNOWN", alarm=True)
async def stranger_with_a_certificate_that_the_directory_lacks(attack: Attack) -> str:
    another = attack.victim.trust.issue(attack.name)
    return await attack.victim.caller(attack.name, another).tell(attack.hello)


@_GROUP.case("ORIGIN_MISMATCH", alarm=True)
async def stranger_with_anothers_name(attack: Attack) -> str:
    return await attack.me.tell(pb.ExchangeRequest(hello=hello(HONEST)))


@_GROUP.case("CENTRE_SUSPENDED", alarm=True)
async def stranger_that_is_suspended_meanwhile(attack: Attack) -> Answered:
    first = attack.letter()

    def more() -> Iterator[pb.ExchangeRequest]:
        attack.victim.suspend(attack.name)
        for lseq in count(2):  # the gateway looks for a newer directory each second
            yield batch(lseq, b"")
            time.sleep(0.05)

    return Answered(await attack.me.tell(attack.hello, batch(1, first), more=more()), (first,))


@_GROUP.case("AUTHORITY_NOT_REPRESENTED", alarm=True)
async def stranger_with_a_letter_that_it_has_recorded(attack: Attack) -> str:
    recorded = await asyncio.to_thread(attack.victim.stored, HONEST)
    return await attack.me.offer(recorded[0])


@_GROUP.case("SIGNATURE_INVALID", alarm=True)
async def stranger_in_the_name_of_anothers_authority(attack: Attack) -> str:
    content = attack.envelope()
    content.sender = attack.victim.authorities[HONEST].id
    return await attack.me.offer(letter(content, attack.authority))


@_GROUP.case(Answer.REPEATED)
async def stranger_that_replays(attack: Attack) -> Answered:
    item = attack.letter()
    async with attack.me.stream() as stream:
        await stream.welcome()
        await stream.send(batch(1, item))
        first = await stream.receipt()
        await stream.send(batch(1, item))
        again = await stream.receipt()
    return Answered(Answer.REPEATED if again == first else "another receipt", (item,))


@_GROUP.case("OUTCOME_STATUS_DUPLICATE")
async def stranger_that_replays_at_a_new_position(attack: Attack) -> Answered:
    item = attack.letter()
    await attack.me.offer(item)
    return Answered(await attack.me.offer(item), (item,))


@_GROUP.case("MESSAGE_ID_REUSED", alarm=True)
async def stranger_that_uses_an_id_again(attack: Attack) -> Answered:
    content = attack.envelope()
    first = letter(content, attack.authority)
    content.payload.sealed += b"more"
    second = letter(content, attack.authority)
    return Answered(await attack.me.offer(first, second), (first,))


@_GROUP.case("SEQUENCE_GAP")
async def stranger_that_leaves_a_gap(attack: Attack) -> str:
    return await attack.me.tell(attack.hello, batch(2, attack.letter()))


@_GROUP.case("SEQUENCE_REWIND", alarm=True)
async def stranger_that_goes_back(attack: Attack) -> Answered:
    item = attack.letter()
    await attack.me.offer(item)
    return Answered(await attack.me.tell(attack.hello, batch(1, attack.letter())), (item,))


@_GROUP.case("ENVELOPE_TOO_LARGE")
async def stranger_with_a_letter_of_a_mebibyte(attack: Attack) -> str:
    return await attack.me.offer(bytes(_MIB + 1))


@_GROUP.case("RESOURCE_EXHAUSTED")
async def stranger_with_a_frame_of_sixty_mebibytes(attack: Attack) -> str:
    return await attack.me.tell(attack.hello, batch(1, *[bytes(_MIB)] * 60))


@_GROUP.case("SIGNATURE_INVALID", alarm=True)
async def stranger_with_a_flipped_bit_in_each_byte(attack: Attack) -> str:
    """Of one letter, once in each byte of it; the most come as far as the signature."""
    item = attack.letter()
    flipped = [
        item[:place] + bytes((item[place] ^ 1,)) + item[place + 1 :] for place in range(len(item))
    ]
    answers: Counter[str] = Counter()
    for begin in range(0, len(flipped), 200):
        async with attack.me.stream() as stream:
            first = (await stream.welcome()).in_lseq + 1
            some = flipped[begin : begin + 200]
            await stream.send(batch(first, *some))
            answers += await stream.outcomes(first, len(some))
    assert answers.total() == len(item)
    assert "OUTCOME_STATUS_ACCEPTED" not in answers
    return answers.most_common(1)[0][0]


@_GROUP.case("EXPIRED")
async def stranger_with_a_letter_of_yesterday(attack: Attack) -> str:
    old = attack.envelope()
    old.create_time.seconds -= 3 * 86_400
    old.expire_time.seconds -= 2 * 86_400
    return await attack.me.offer(letter(old, attack.authority))


@_GROUP.case("KIND_UNKNOWN")
async def stranger_with_a_kind_of_tomorrow(attack: Attack) -> str:
    return await attack.me.offer(attack.letter(kind=77))


@_GROUP.case("ENVELOPE_NOT_CANONICAL")
async def stranger_with_a_field_of_tomorrow(attack: Attack) -> str:
    raw = attack.envelope().SerializeToString() + b"\xa2\x06\x03new"
    return await attack.me.offer(letter(raw, attack.authority))


@_GROUP.case("FRAME_MALFORMED")
async def stranger_with_garbage(attack: Attack) -> str:
    return await attack.me.tell(attack.hello, *[b"\xff" * 4096] * 1000)


@_GROUP.case("CREDIT_EXCEEDED", alarm=True)
async def stranger_that_sends_on_and_reads_nothing(attack: Attack) -> str:
    """Reads only once the operator knows."""
    many = (batch(first, *[b"garbage"] * 256) for first in range(1, 100_000, 256))

    def wait() -> None:
        eventually(lambda: "CREDIT_EXCEEDED" in attack.victim.alarms(attack.name))

    return await attack.me.tell(attack.hello, more=many, before=wait)


@_GROUP.case("RATE_EXCEEDED")
async def stranger_with_a_thousand_hellos(attack: Attack) -> str:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(attack.me.channel()) for _ in range(20)]
        streams = [Stream(channel) for channel in channels for _ in range(50)]
        await asyncio.gather(*(stream.send(attack.hello) for stream in streams))
        ends = [asyncio.create_task(stream.end()) for stream in streams]
        await _until_done(ends, len(ends) - 1)
        answers = Counter(each.result() for each in ends if each.done())
        await _cancel(streams, ends)
    answers.pop(
        "INTERNAL", None
    )  # `grpc.aio` has lost the reason: the hello met the end of the call
    assert set(answers) <= {"RATE_EXCEEDED", "TOO_MANY_STREAMS", "STREAM_SUPERSEDED"}
    return answers.most_common(1)[0][0]


@_GROUP.case("HELLO_MISSING")
async def strangers_with_a_thousand_half_open_streams(attack: Attack) -> str:
    """Four of each of a crowd, all at the same time, for as long as the gateway bears them."""
    async with AsyncExitStack() as stack:
        crowd = [attack.victim.callers[f"crowd-{number}"] for number in range(CROWD)]
        channels = [await stack.enter_async_context(each.channel()) for each in crowd]
        ends = [
            asyncio.create_task(reason(Stream(channel).call))
            for channel in channels
            for _ in range(4)
        ]
        done, _ = await asyncio.wait(ends, timeout=5)
        assert not done
        return str(Counter(await asyncio.gather(*ends)).most_common()[0][0])


@_GROUP.case("TOO_MANY_STREAMS")
async def stranger_with_a_thousand_half_open_calls(attack: Attack) -> str:
    """Of which the request never comes. Eight are waited for."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(attack.me.channel()) for _ in range(20)]
        calls: list[Any] = [
            channel.stream_unary(SERVICE + "Deliver")() for channel in channels for _ in range(50)
        ]
        ends = [asyncio.create_task(reason(call)) for call in calls]
        await _until_done(ends, len(ends) - 8)
        answers = Counter(each.result() for each in ends if each.done())
        for call in calls:
            call.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
    assert set(answers) <= {"RATE_EXCEEDED", "TOO_MANY_STREAMS"}
    return "TOO_MANY_STREAMS" if "TOO_MANY_STREAMS" in answers else str(answers)


async def _until_done(tasks: list[asyncio.Task[str]], count: int) -> None:
    async with asyncio.timeout(30):
        while (waiting := [each for each in tasks if not each.done()]) and len(tasks) - len(
            waiting
        ) < count:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


async def _cancel(streams: list[Stream], ends: list[asyncio.Task[str]]) -> None:
    for stream in streams:
        stream.call.cancel()
    await asyncio.gather(*ends, return_exceptions=True)

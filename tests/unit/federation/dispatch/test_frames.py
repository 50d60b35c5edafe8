"""Frames keep to limits and credit; the flight knows what is under way."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from federation.dispatch.frames import Credit, Flight, Item, Limits, cut, void, without_gaps
from federation.protocol.limits import CREDIT_BYTES, CREDIT_MESSAGES
from federation.protocol.receipts import Sent


def item(lseq: int, size: int = 100) -> Item:
    return Item(lseq, Sent(UUID(int=lseq), bytes(32)), size)


def credit(messages: int = 1000, bytes_: int = 1 << 24) -> Credit:
    found = Credit(Flight())
    found.add(messages, bytes_)
    return found


def test_frame_closes_at_its_limits() -> None:
    items = [item(lseq) for lseq in range(1, 101)]
    assert cut(items, credit=credit(), limits=Limits(64, 10**6)) == 64
    assert cut(items, credit=credit(), limits=Limits(64, 1000)) == 10
    assert cut(items, credit=credit(messages=3), limits=Limits()) == 3
    assert cut(items, credit=credit(), limits=Limits(), at_most=2) == 2


def test_large_letter_goes_alone() -> None:
    items = [item(1, size=900_000), item(2)]
    assert cut(items, credit=credit(), limits=Limits(64, 500_000)) == 1
    assert cut(items, credit=credit(bytes_=800_000), limits=Limits(64, 500_000)) == 0


def test_no_credit_no_frame() -> None:
    assert cut([item(1)], credit=credit(messages=0), limits=Limits()) == 0


def test_credit_without_end_is_not_all_used() -> None:
    """What is under way without a receipt is ours to bear, whatever the peer grants."""
    flight = Flight()
    granted = Credit(flight)
    granted.add(2**40, 2**60)
    assert (granted.messages, granted.bytes) == (CREDIT_MESSAGES, CREDIT_BYTES)
    flight.add([item(1, size=CREDIT_BYTES - 10), item(2, size=10)])
    granted.spend(2, CREDIT_BYTES)
    assert (granted.messages, granted.bytes, granted.usable) == (CREDIT_MESSAGES - 2, 0, False)
    flight.land(1)
    assert (granted.messages, granted.bytes) == (CREDIT_MESSAGES - 1, CREDIT_BYTES - 10)
    flight.add([void(lseq) for lseq in range(3, 2 * CREDIT_MESSAGES)])
    assert (granted.messages, granted.usable) == (0, False)
    assert cut([item(1)], credit=granted, limits=Limits()) == 0


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=100),
    st.integers(0, 80),
    st.integers(0, 200_000),
)
def test_frame_never_exceeds_the_credit(sizes: list[int], messages: int, room: int) -> None:
    items = [item(lseq, size) for lseq, size in enumerate(sizes, start=1)]
    count = cut(items, credit=credit(messages, room), limits=Limits())
    assert count <= messages
    assert sum(sizes[:count]) <= room


def test_gaps_become_void_items() -> None:
    items = without_gaps({2: item(2)}, first=1, last=3)
    assert [each.void for each in items] == [True, False, True]
    assert items[0] == void(1)


def test_flight_lands_across_frames() -> None:
    flight = Flight()
    flight.add([item(1), item(2)])
    flight.add([item(3), item(4), item(5)])
    assert (flight.head, flight.span, flight.bytes) == ((1, 2), (1, 5), 500)
    flight.land(3)
    assert (flight.head, flight.span, len(flight)) == ((4, 5), (4, 5), 2)
    flight.land(2)
    assert flight.head is None
    assert not flight

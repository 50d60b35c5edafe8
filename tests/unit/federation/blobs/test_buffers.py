"""Buffers in turns."""

from federation.blobs.buffers import Buffers


def fill(buffers: Buffers, data: bytes) -> None:
    place = buffers.place(len(data))
    assert len(place) == len(data)
    place[:] = data


def test_a_buffer_is_filled_piece_by_piece() -> None:
    buffers = Buffers(8, count=2)
    fill(buffers, b"abc")
    assert buffers.left == 5
    fill(buffers, b"defgh")
    assert buffers.left == 0
    assert len(buffers.place(1)) == 0
    assert bytes(buffers.turn()) == b"abcdefgh"
    assert buffers.left == 8


def test_no_more_than_is_left_is_given() -> None:
    buffers = Buffers(8, count=2)
    fill(buffers, b"abcdef")
    assert len(buffers.place(5)) == 2


def test_what_is_cut_off_begins_the_next_one() -> None:
    buffers = Buffers(8, count=3)
    fill(buffers, b"abcdefg")
    assert bytes(buffers.turn(cut=4)) == b"abcd"
    fill(buffers, b"h1234")
    assert bytes(buffers.turn(cut=4)) == b"efgh1234"
    assert bytes(buffers.turn()) == b""


def test_what_was_filled_stays_while_the_others_are() -> None:
    buffers = Buffers(4, count=3)
    kept = []
    for data in (b"aaaa", b"bbbb", b"cccc"):
        fill(buffers, data)
        kept.append(buffers.turn())
    assert [bytes(each) for each in kept] == [b"aaaa", b"bbbb", b"cccc"]
    fill(buffers, b"dddd")
    assert [bytes(each) for each in kept] == [b"dddd", b"bbbb", b"cccc"]

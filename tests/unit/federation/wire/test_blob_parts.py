"""Parts of an upload are protobuf's, byte for byte, whoever has written them."""

import os

import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from centre.kernel.ids import new_id
from federation.protocol.frames import BlobHeader
from federation.wire import blob_parts
from federation.wire.frames import read_blob_header

HEADER = BlobHeader(sender=new_id(), recipient=new_id(), digest=bytes(32), size=9, offset=3)


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 262_160, 2_097_152])
def test_data_are_written_and_read_as_protobuf_does(size: int) -> None:
    data = os.urandom(size)
    raw = pb.PutBlobRequest(data=data).SerializeToString()
    assert blob_parts.write_data(memoryview(data)) == raw
    assert blob_parts.read_part(raw) == data


def test_a_header_is_written_and_read() -> None:
    raw = blob_parts.write_header(HEADER)
    assert pb.PutBlobRequest.FromString(raw).WhichOneof("part") == "header"
    read = blob_parts.read_part(raw)
    assert isinstance(read, pb.BlobHeader)
    assert read_blob_header(read) == HEADER


def test_data_are_not_copied_where_they_are_read() -> None:
    raw = blob_parts.write_data(b"sealed")
    view = blob_parts.read_part(raw)
    assert isinstance(view, memoryview)
    assert view.obj is raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(pb.PutBlobRequest(data=b"").SerializeToString(), id="no data"),
        pytest.param(b"\x1a\x01x", id="a field of later"),
    ],
)
def test_a_part_with_neither_is_empty(raw: bytes) -> None:
    assert blob_parts.read_part(raw) == b""


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        pytest.param(b"\x12\x02ab\x12\x01c", b"c", id="twice: the last one counts"),
        pytest.param(b"\x12\x82\x00ab", b"ab", id="a length with a zero too many"),
        pytest.param(b"\x12\x02ab\x1a\x01x", b"ab", id="with a field of later"),
        pytest.param(b"\x12\x82\x80\x80\x80\x00ab", b"ab", id="a length of five bytes"),
    ],
)
def test_data_in_strange_words_are_read_as_protobuf_reads_them(raw: bytes, data: bytes) -> None:
    assert pb.PutBlobRequest.FromString(raw).data == data
    assert blob_parts.read_part(raw) == data


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x12\x82\x80\x80\x80\x80\x00ab", id="a length of six bytes"),
        pytest.param(b"\x12\x03ab", id="cut off"),
        pytest.param(b"\x12\x80", id="in the middle of its length"),
        pytest.param(b"\x12", id="before its length"),
        pytest.param(b"\xff" * 40, id="garbage"),
    ],
)
def test_what_is_no_part_is_no_part(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        blob_parts.read_part(raw)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\x12" + rest))
def test_whatever_comes_is_read_as_protobuf_reads_it(raw: bytes) -> None:
    try:
        expected = pb.PutBlobRequest.FromString(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            blob_parts.read_part(raw)
        return
    read = blob_parts.read_part(raw)
    if expected.WhichOneof("part") == "header":
        assert read == expected.header
    else:
        assert read == expected.data

"""The parts of an upload, without the copies that protobuf makes of each.

A part with data is a tag, a length and the bytes (`PutBlobRequest.data`). Writing that into a
message, serialising, parsing and reading the field each copy the bytes once more; of a document
at the rate of a local network those copies were a third of all work.
"""

from collections.abc import Buffer
from typing import Final

from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as pb

from federation.protocol.frames import BlobHeader
from federation.wire.frames import write_blob_header

#: Field 2, with its length before it.
_TAG: Final = pb.PutBlobRequest.DATA_FIELD_NUMBER << 3 | 2
#: A length has seven bits in each byte, the lowest first, and this one while more follow.
_MORE: Final = 0x80
#: No part that may be taken needs more.
_MOST_BYTES: Final = 5


def write_header(header: BlobHeader) -> bytes:
    """Return the first part of an upload."""
    return pb.PutBlobRequest(header=write_blob_header(header)).SerializeToString()


def write_data(data: Buffer) -> bytes:
    """Return a part with these bytes, copied once."""
    view = memoryview(data)
    prefix = bytearray([_TAG])
    left = view.nbytes
    while left >= _MORE:
        prefix.append(left % _MORE | _MORE)
        left //= _MORE
    prefix.append(left)
    return b"".join((prefix, view))


def read_part(raw: bytes) -> pb.BlobHeader | memoryview:
    """Return a header, or a view of the data in `raw`; empty if the part holds neither.

    Raises `DecodeError` where the bytes are no part.
    """
    begin = _data_begins(raw)
    if begin is not None:
        return memoryview(raw)[begin:]
    # A header, or data in an order that our own words never have.
    part = pb.PutBlobRequest.FromString(raw)
    if part.WhichOneof("part") == "header":
        return part.header
    return memoryview(part.data)


def _data_begins(raw: bytes) -> int | None:
    """Return where the data begin in a part that holds them and nothing else."""
    if not raw or raw[0] != _TAG:
        return None
    length = 0
    for at, byte in enumerate(raw[1 : 1 + _MOST_BYTES]):
        length |= (byte % _MORE) << (7 * at)
        if byte < _MORE:
            begin = 2 + at
            return begin if begin + length == len(raw) else None
    return None

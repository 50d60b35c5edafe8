"""A flipped bit in each field of a letter, and letters in other bytes.

The fields come from the descriptor: a new one is tried as soon as it is in the proto file. Bits are
flipped by a stranger, in a letter that was written by the proto files only.
"""

from collections.abc import Iterator
from typing import Any, Final

from amtsbruecke.exchange.v1beta1 import envelope_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from federation.protocol import limits
from federation.protocol.reasons import Reason
from tests.integration.federation.misuse.hands import honest, item
from tests.integration.federation.misuse.strangers import Attack
from tests.integration.federation.misuse.table import Misuse, group, strangers
from tests.plugins.gateway import Gateway

_FLIPPED = strangers("A flipped bit in each field of a letter")
_GROUP = group("Other bytes for the same letter")

type Path = tuple[FieldDescriptor, ...]


def paths(kind: Descriptor) -> Iterator[Path]:
    """Yield the way to every field that is no message itself."""
    for field in kind.fields:
        if field.message_type is None:
            yield (field,)
        else:
            for rest in paths(field.message_type):
                yield (field, *rest)


def flip(message: Message, path: Path) -> None:
    """Change the lowest bit of a field."""
    *way, field = path
    target: Any = message
    for step in way:
        target = getattr(target, step.name)
        if step.is_repeated:
            target = target[0] if target else target.add()
    value = getattr(target, field.name)
    match value:
        case bytes():
            changed: Any = value[:-1] + bytes(((value[-1:] or b"\0")[0] ^ 1,))
        case str():
            changed = value[:-1] + chr(ord(value[-1:] or "a") ^ 1)
        case int():
            changed = value ^ 1
        case _ if field.is_repeated:
            value.append(1)
            return
        case _:
            raise TypeError(f"no bit to flip in {field.full_name}")
    setattr(target, field.name, changed)


def name(path: Path) -> str:
    return "_".join(field.name for field in path)


#: Where another check than the signature's comes first.
_SOONER: Final = {
    "signature_signer": Reason.SIGNER_UNKNOWN,
    "signature_key_id": Reason.SIGNER_UNKNOWN,
}


def _flipped_inside(path: Path) -> Misuse:
    async def misuse(attack: Attack) -> str:
        outer = envelope_pb2.SignedEnvelope.FromString(attack.letter())
        inner = envelope_pb2.Envelope.FromString(outer.envelope)
        flip(inner, path)
        before, outer.envelope = outer.envelope, inner.SerializeToString()
        assert outer.envelope != before
        return await attack.me.offer(outer.SerializeToString())

    return misuse


def _flipped_outside(path: Path) -> Misuse:
    async def misuse(attack: Attack) -> str:
        outer = envelope_pb2.SignedEnvelope.FromString(attack.letter())
        flip(outer, path)
        return await attack.me.offer(outer.SerializeToString())

    return misuse


for _path in paths(envelope_pb2.Envelope.DESCRIPTOR):
    _reason = _SOONER.get(name(_path), Reason.SIGNATURE_INVALID)
    _FLIPPED.add(
        f"flipped_bit_in_{name(_path)}",
        _flipped_inside(_path),
        _reason,
        alarm=_reason is Reason.SIGNATURE_INVALID,
    )
for _path in paths(envelope_pb2.Signature.DESCRIPTOR):
    _way = (envelope_pb2.SignedEnvelope.DESCRIPTOR.fields_by_name["signature"], *_path)
    _reason = _SOONER.get(name(_way), Reason.SIGNATURE_INVALID)
    _FLIPPED.add(
        f"flipped_bit_in_{name(_way)}",
        _flipped_outside(_way),
        _reason,
        alarm=_reason is Reason.SIGNATURE_INVALID,
    )


@_GROUP.case(Reason.ENVELOPE_MALFORMED)
async def signature_missing(gateway: Gateway) -> str:
    outer = envelope_pb2.SignedEnvelope.FromString(honest(gateway))
    outer.ClearField("signature")
    return await item(gateway, outer.SerializeToString())


@_GROUP.case(Reason.ENVELOPE_MALFORMED)
async def frame_written_in_another_way(gateway: Gateway) -> str:
    """The same letter with other bytes: the unsigned frame carries padding."""
    return await item(gateway, honest(gateway) + b"\xa2\x06\x01x")


@_GROUP.case(Reason.ENVELOPE_MALFORMED)
async def item_of_garbage(gateway: Gateway) -> str:
    return await item(gateway, b"\xff" * 500)


@_GROUP.case(Reason.ENVELOPE_MALFORMED)
async def item_that_is_cut_off(gateway: Gateway) -> str:
    return await item(gateway, honest(gateway)[:-20])


@_GROUP.case(Reason.ENVELOPE_TOO_LARGE)
async def item_that_is_too_large(gateway: Gateway) -> str:
    return await item(gateway, bytes(limits.MAX_ITEM_BYTES + 1))

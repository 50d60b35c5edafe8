"""A signature that covers several letters, and what somebody may try to slip in under it.

One of the letters goes ahead as it is, so that the gateway has seen the signature hold.
"""

from collections.abc import Callable
from functools import partial

from amtsbruecke.exchange.v1beta1 import envelope_pb2

from federation.protocol.reasons import Reason
from tests.factories.letters import letter, letters_together, tampered
from tests.integration.federation.misuse.fields import flip, paths
from tests.integration.federation.misuse.hands import honest
from tests.integration.federation.misuse.table import Answered, Misuse, group
from tests.plugins.gateway import Gateway

_GROUP = group("One signature for several letters")

type Change = Callable[[envelope_pb2.SignedEnvelope], None]


async def _after_the_first(gateway: Gateway, change: Callable[[bytes], bytes]) -> Answered:
    """Send the first of five letters, then the second as changed."""
    offices = gateway.world.offices
    first, second, *_ = letters_together(offices["kiel"], offices["alpha"], 5)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, first, change(second))
    assert receipt.verdict(1).status.held
    return Answered(str(receipt.verdict(2).reason), (first,))


def _outer(change: Change) -> Misuse:
    def changed(raw: bytes) -> bytes:
        outer = envelope_pb2.SignedEnvelope.FromString(raw)
        change(outer)
        assert outer.SerializeToString() != raw
        return outer.SerializeToString()

    async def misuse(gateway: Gateway) -> Answered:
        return await _after_the_first(gateway, changed)

    return misuse


def _set(**values: object) -> Change:
    def change(outer: envelope_pb2.SignedEnvelope) -> None:
        for name, value in values.items():
            setattr(outer.inclusion, name, value)

    return change


for _path in paths(envelope_pb2.Inclusion.DESCRIPTOR):
    _way = (envelope_pb2.SignedEnvelope.DESCRIPTOR.fields_by_name["inclusion"], *_path)
    _GROUP.add(
        f"flipped_bit_in_inclusion_{_path[-1].name}",
        _outer(partial(flip, path=_way)),
        Reason.SIGNATURE_INVALID,
        alarm=True,
    )

_VALUE = (
    envelope_pb2.SignedEnvelope.DESCRIPTOR.fields_by_name["signature"],
    envelope_pb2.Signature.DESCRIPTOR.fields_by_name["value"],
)

for _name, _change, _reason in (
    (
        "flipped_bit_in_a_signature_that_has_held",
        partial(flip, path=_VALUE),
        Reason.SIGNATURE_INVALID,
    ),
    ("way_missing", _set(path=b""), Reason.ENVELOPE_MALFORMED),
    ("way_cut_by_a_hash", _set(path=bytes(64)), Reason.SIGNATURE_INVALID),
    ("way_longer_by_a_hash", _set(path=bytes(128)), Reason.SIGNATURE_INVALID),
    ("way_of_half_a_hash_more", _set(path=bytes(112)), Reason.ENVELOPE_MALFORMED),
    ("way_without_end", _set(path=bytes(32 * 1000)), Reason.ENVELOPE_MALFORMED),
    ("place_beyond_the_last", _set(index=5), Reason.ENVELOPE_MALFORMED),
    ("tree_of_one", _set(size=1, index=0), Reason.ENVELOPE_MALFORMED),
    ("tree_of_none", _set(size=0), Reason.ENVELOPE_MALFORMED),
    ("tree_of_four_thousand_million", _set(size=2**32 - 1), Reason.ENVELOPE_MALFORMED),
    ("way_taken_away", lambda outer: outer.ClearField("inclusion"), Reason.SIGNATURE_INVALID),
):
    _GROUP.add(_name, _outer(_change), _reason, alarm=_reason is Reason.SIGNATURE_INVALID)


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def another_letter_in_the_place_of_one(gateway: Gateway) -> Answered:
    def replaced(raw: bytes) -> bytes:
        outer = envelope_pb2.SignedEnvelope.FromString(raw)
        outer.envelope = envelope_pb2.SignedEnvelope.FromString(honest(gateway)).envelope
        return outer.SerializeToString()

    return await _after_the_first(gateway, replaced)


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def letter_of_several_changed_on_its_way(gateway: Gateway) -> Answered:
    def longer_valid(envelope: envelope_pb2.Envelope) -> None:
        envelope.expire_time.seconds += 1

    return await _after_the_first(gateway, lambda raw: tampered(raw, longer_valid))


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def signature_over_several_shown_as_a_colleagues(gateway: Gateway) -> Answered:
    luebeck = gateway.world.offices["luebeck"]

    def renamed(raw: bytes) -> bytes:
        outer = envelope_pb2.SignedEnvelope.FromString(raw)
        outer.signature.signer = luebeck.id.bytes
        outer.signature.key_id = luebeck.signing.kid
        return outer.SerializeToString()

    return await _after_the_first(gateway, renamed)


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def colleagues_letter_among_those_that_one_has_signed(gateway: Gateway) -> Answered:
    """Luebeck signs five, one of them in the name of Kiel."""
    offices = gateway.world.offices
    kiels = letter(offices["kiel"], offices["alpha"])
    first, second, *_ = letters_together(
        offices["luebeck"], offices["alpha"], 5, instead={1: kiels}
    )
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, first, second)
    return Answered(str(receipt.verdict(2).reason), (first,))


@_GROUP.case(Reason.ENVELOPE_MALFORMED)
async def more_letters_than_one_signature_may_cover(gateway: Gateway) -> Answered:
    offices = gateway.world.offices
    letters = letters_together(offices["kiel"], offices["alpha"], 65)
    async with gateway.stream() as stream:
        receipt = await stream.deliver(1, *letters)
    assert not any(verdict.status.held for verdict in receipt.verdicts())
    return Answered(str(receipt.verdict(65).reason))

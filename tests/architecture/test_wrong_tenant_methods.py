"""Every gRPC method, tried by a peer that it is not for. A new method is tried too.

Methods are found in the protocol's descriptors, and called with bytes, so that no stub is needed.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import amtsbruecke
import grpc
import pytest
from amtsbruecke.exchange.v1beta1 import blob_service_pb2 as blob_pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as link_pb
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from federation.links.endings import Ending
from federation.wire.errors import from_rpc_error
from federation.wire.receipt import from_message, verify_receipt
from tests.factories.certificates import Certificate
from tests.factories.letters import Office, letter
from tests.plugins.gateway import PEER, Gateway, make_hello

#: Services of other processes than a centre's gateway, with the test that tries them.
ELSEWHERE: dict[str, str] = {
    "amtsbruecke.directory.v1beta1.DirectoryService": "signed, the same for every peer"
}


def _methods() -> Iterator[MethodDescriptor]:
    for module in pkgutil.walk_packages(amtsbruecke.__path__, "amtsbruecke."):
        if module.name.endswith("_pb2"):
            descriptor = importlib.import_module(module.name).DESCRIPTOR
            file = Default().FindFileByName(descriptor.name)
            for service in file.services_by_name.values():
                if service.full_name not in ELSEWHERE:
                    yield from service.methods


METHODS = list(_methods())


def test_methods_are_found() -> None:
    assert {method.name for method in METHODS} >= {"Exchange", "Deliver", "PutBlob"}


def _strangers(gateway: Gateway) -> Iterator[tuple[str, Certificate]]:
    issue = gateway.world.authority.issue
    yield "a centre that the directory does not know", issue("mallory")
    yield "a known centre with another certificate", issue(PEER)
    yield "a certificate of nobody", issue(PEER, uris=[])
    yield (
        "a certificate of two",
        issue(PEER, uris=["urn:amtsbruecke:centre:nord", "urn:amtsbruecke:centre:sachsen"]),
    )


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
async def test_stranger_is_refused(gateway: Gateway, method: MethodDescriptor) -> None:
    for who, certificate in _strangers(gateway):
        code = await _call(gateway, certificate, method)
        assert code in {
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        }, f"{who} got {code} from {method.full_name}"
    assert gateway.stored() == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
async def test_peer_that_left_the_directory_is_refused(
    gateway: Gateway, method: MethodDescriptor
) -> None:
    """The certificate is still good, and the connection may be an old one."""
    centres = dict(gateway.world.directory.centres)
    centres.pop(PEER)
    gateway.world.directory = replace(gateway.world.directory, centres=centres)
    await gateway.lookout.refresh()
    code = await _call(gateway, gateway.world.certificates[PEER], method)
    assert code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


# -- a peer that is known, and speaks for others -----------------------------------------------


@dataclass(frozen=True)
class Claim:
    """In whose name, from where, to whom a known peer speaks."""

    sender: Office
    recipient: Office
    origin: str = PEER

    def hello(self) -> link_pb.Hello:
        return make_hello(self.origin)

    def batch(self) -> link_pb.Batch:
        item = letter(self.sender, self.recipient, origin=PEER)
        return link_pb.Batch(first_lseq=1, items=[item])

    def document(self) -> dict[str, Any]:
        digest = sha256(b"x").digest()
        return {
            "sender": self.sender.id.bytes,
            "recipient": self.recipient.id.bytes,
            "digest": digest,
        }


#: What each method is asked for in somebody's name. A method without an entry fails.
REQUESTS: dict[str, Callable[[Claim], list[Message]]] = {
    "Exchange": lambda claim: [
        link_pb.ExchangeRequest(hello=claim.hello()),
        link_pb.ExchangeRequest(batch=claim.batch()),
    ],
    "Deliver": lambda claim: [link_pb.DeliverRequest(hello=claim.hello(), batch=claim.batch())],
    "GetPosition": lambda claim: [link_pb.GetPositionRequest(hello=claim.hello())],
    "PutBlob": lambda claim: [
        blob_pb.PutBlobRequest(header=blob_pb.BlobHeader(**claim.document(), size=1)),
        blob_pb.PutBlobRequest(data=b"x"),
    ],
    "GetBlobOffset": lambda claim: [blob_pb.GetBlobOffsetRequest(**claim.document())],
}
_REFUSALS = {"AUTHORITY_NOT_REPRESENTED", "RECIPIENT_UNKNOWN", "ORIGIN_MISMATCH"}
_AUTHORITIES = ("sender of another centre", "sender who is hosted here", "recipient elsewhere")
#: What a method does not say, so that nobody can lie about it.
UNSAID: dict[str, tuple[str, ...]] = {
    "GetPosition": _AUTHORITIES,
    "PutBlob": ("link of another centre",),
    "GetBlobOffset": ("link of another centre",),
}
LIES = [
    pytest.param(method, lie, id=f"{method.name}: {lie}")
    for method in METHODS
    for lie in (*_AUTHORITIES, "link of another centre")
    if lie not in UNSAID.get(method.name, ())
]


def _claim(gateway: Gateway, lie: str) -> Claim:
    offices = gateway.world.offices
    kiel, dresden, alpha = offices["kiel"], offices["dresden"], offices["alpha"]
    return {
        "sender of another centre": Claim(dresden, alpha),
        "sender who is hosted here": Claim(offices["beta"], alpha),
        "recipient elsewhere": Claim(kiel, dresden),
        "link of another centre": Claim(kiel, alpha, origin="sachsen"),
    }[lie]


def test_every_method_is_tried() -> None:
    assert {method.name for method in METHODS} == REQUESTS.keys()
    assert {lie.values[0] for lie in LIES} == set(METHODS)


@pytest.mark.parametrize(("method", "lie"), LIES)
async def test_known_peer_speaks_for_nobody_else(
    gateway: Gateway, method: MethodDescriptor, lie: str
) -> None:
    reasons = await _ask(gateway, method, REQUESTS[method.name](_claim(gateway, lie)))
    assert reasons, "it was served"
    assert reasons <= _REFUSALS
    assert gateway.stored() == []
    assert gateway.rows("SELECT FROM blobs_blob") == []


async def _ask(gateway: Gateway, method: MethodDescriptor, requests: list[Message]) -> set[str]:
    """Call a method as a known peer; return for which reasons the call or its items are refused."""
    reasons: set[str] = set()
    async with gateway.channel() as channel:
        call = _begin(channel, method, [each.SerializeToString() for each in requests])
        try:
            async for answer in _answers(call, method):
                reasons |= _refused(gateway, answer)
        except grpc.aio.AioRpcError as error:
            reasons.add(str(from_rpc_error(error).reason))
    return reasons


async def _answers(call: Any, method: MethodDescriptor) -> AsyncIterator[Message]:
    answer = GetMessageClass(method.output_type)
    if not method.server_streaming:
        yield answer.FromString(await call)
        return
    async for each in call:
        yield answer.FromString(each)


def _refused(gateway: Gateway, answer: Message) -> set[str]:
    """Return the reasons in the receipts that an answer holds."""
    receipts = list(getattr(answer, "receipts", []))
    if isinstance(answer, link_pb.ExchangeResponse) and answer.HasField("receipt"):
        receipts.append(answer.receipt)
    bodies = [
        verify_receipt(from_message(each), key=gateway.world.receipt_key.verify_key)
        for each in receipts
    ]
    return {
        str(verdict.reason or verdict.status.name) for body in bodies for verdict in body.verdicts()
    }


def _begin(channel: grpc.aio.Channel, method: MethodDescriptor, requests: list[bytes]) -> Any:
    kind = "{}_{}".format(
        "stream" if method.client_streaming else "unary",
        "stream" if method.server_streaming else "unary",
    )

    async def stream() -> AsyncIterator[bytes]:
        for request in requests:
            yield request

    path = f"/{method.containing_service.full_name}/{method.name}"
    given: Any = stream() if method.client_streaming else requests[0]
    return getattr(channel, kind)(path)(given, timeout=30)


async def _call(
    gateway: Gateway, certificate: Certificate, method: MethodDescriptor
) -> grpc.StatusCode:
    """Call a method with an empty request and return how it ended."""
    async with gateway.channel(certificate) as channel:
        call = _begin(channel, method, [b""])
        ending = Ending(call)
        nothing = grpc.aio.Metadata()
        ended = grpc.aio.AioRpcError(await call.code(), nothing, nothing, await call.details())
        return (await ending.behind(ended)).code()

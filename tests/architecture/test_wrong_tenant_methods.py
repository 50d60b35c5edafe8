"""Every gRPC method, tried by a peer that it is not for. A new method is tried too.

Methods are found in the protocol's descriptors, and called with bytes, so that no stub is needed.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import amtsbruecke
import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default

from tests.factories.certificates import Certificate
from tests.plugins.gateway import PEER, Gateway

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


async def _call(
    gateway: Gateway, certificate: Certificate, method: MethodDescriptor
) -> grpc.StatusCode:
    """Call a method with an empty request and return how it ended."""
    path = f"/{method.containing_service.full_name}/{method.name}"

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    async with gateway.channel(certificate) as channel:
        kind = "{}_{}".format(
            "stream" if method.client_streaming else "unary",
            "stream" if method.server_streaming else "unary",
        )
        request: Any = nothing() if method.client_streaming else b""
        call = getattr(channel, kind)(path)(request, timeout=30)
        return await call.code()  # type: ignore[no-any-return]

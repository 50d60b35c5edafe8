"""Who calls: certificates and directory."""

from dataclasses import replace

import grpc
from amtsbruecke.exchange.v1beta1 import link_service_pb2 as pb
from amtsbruecke.exchange.v1beta1 import link_service_pb2_grpc

from federation.protocol.reasons import Reason
from tests.factories.certificates import Certificate, CertificateAuthority
from tests.factories.letters import Centre
from tests.integration.federation.misuse.hands import hello, honest, refusal
from tests.integration.federation.misuse.table import Answer, group
from tests.plugins.gateway import PEER, Gateway, make_hello

_GROUP = group("Who calls")


@_GROUP.case(Reason.UNAVAILABLE)
async def certificate_of_another_authority(gateway: Gateway) -> str:
    return await hello(gateway, CertificateAuthority("Fremd").issue(PEER))


@_GROUP.case(Reason.UNAVAILABLE)
async def no_certificate(gateway: Gateway) -> str:
    credentials = grpc.ssl_channel_credentials(gateway.world.authority.pem)
    options = [("grpc.ssl_target_name_override", "krz.centre.amtsbruecke.internal")]
    async with grpc.aio.secure_channel(gateway.address, credentials, options) as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return await refusal(stub.GetPosition(pb.GetPositionRequest(hello=make_hello())))


@_GROUP.case(Reason.UNAVAILABLE)
async def no_tls(gateway: Gateway) -> str:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return await refusal(stub.GetPosition(pb.GetPositionRequest(hello=make_hello())))


@_GROUP.case(Reason.PEER_UNKNOWN)
async def centre_that_the_directory_does_not_know(gateway: Gateway) -> str:
    return await hello(gateway, gateway.world.authority.issue("mars"), origin="mars")


@_GROUP.case(Reason.CERTIFICATE_UNKNOWN, alarm=True)
async def another_certificate_for_a_known_centre(gateway: Gateway) -> str:
    return await hello(gateway, gateway.world.authority.issue(PEER))


@_GROUP.case(Reason.PEER_UNKNOWN)
async def certificate_without_a_centre(gateway: Gateway) -> str:
    return await hello(gateway, gateway.world.authority.issue(PEER, uris=[]))


@_GROUP.case(Reason.PEER_UNKNOWN)
async def certificate_that_names_two_centres(gateway: Gateway) -> str:
    uris = ["urn:amtsbruecke:centre:nord", "urn:amtsbruecke:centre:sachsen"]
    return await hello(gateway, gateway.world.authority.issue(PEER, uris=uris))


@_GROUP.case(Reason.PEER_UNKNOWN)
async def certificate_with_a_name_that_only_looks_right(gateway: Gateway) -> str:
    uris = ["urn:amtsbruecke:centre:nord/sachsen"]
    return await hello(gateway, gateway.world.authority.issue(PEER, uris=uris))


@_GROUP.case(Reason.ORIGIN_MISMATCH, alarm=True)
async def hello_in_the_name_of_another_centre(gateway: Gateway) -> str:
    return await hello(gateway, origin="sachsen")


async def _suspend(gateway: Gateway) -> None:
    centre = gateway.world.directory.centres[PEER]
    suspended = Centre(centre.id, centre.fingerprints, state="suspended")
    gateway.world.directory = gateway.world.directory.with_centre(suspended)
    await gateway.lookout.refresh()


@_GROUP.case(Reason.CENTRE_SUSPENDED, alarm=True)
async def suspended_centre(gateway: Gateway) -> str:
    await _suspend(gateway)
    return await hello(gateway)


@_GROUP.case(Reason.CENTRE_SUSPENDED, alarm=True)
async def centre_that_is_suspended_while_its_stream_is_open(gateway: Gateway) -> str:
    async with gateway.stream() as stream:
        await _suspend(gateway)
        return await refusal(stream.deliver(1, honest(gateway)))


@_GROUP.case(Reason.CERTIFICATE_UNKNOWN, alarm=True)
async def certificate_that_is_withdrawn_while_its_stream_is_open(gateway: Gateway) -> str:
    async with gateway.stream() as stream:
        gateway.world.directory = gateway.world.directory.with_centre(Centre(PEER, ("00",)))
        await gateway.lookout.refresh()
        return await refusal(stream.deliver(1, honest(gateway)))


@_GROUP.case(Answer.HANDSHAKE)
async def expired_certificate(gateway: Gateway) -> str:
    return await _handshake(gateway, gateway.world.authority.issue(PEER, days=(-60, -1)))


@_GROUP.case(Answer.HANDSHAKE)
async def certificate_of_tomorrow(gateway: Gateway) -> str:
    return await _handshake(gateway, gateway.world.authority.issue(PEER, days=(1, 30)))


@_GROUP.case(Answer.HANDSHAKE)
async def certificate_with_a_strange_key(gateway: Gateway) -> str:
    mine, other = gateway.world.certificates[PEER], gateway.world.authority.issue(PEER)
    return await _handshake(gateway, replace(mine, key=other.key))


@_GROUP.case(Reason.PEER_UNKNOWN)
async def certificate_that_names_its_centre_in_capitals(gateway: Gateway) -> str:
    return await hello(
        gateway, gateway.world.authority.issue(PEER, uris=["URN:AMTSBRUECKE:CENTRE:NORD"])
    )


@_GROUP.case(Reason.PEER_UNKNOWN)
async def certificate_of_another_scheme(gateway: Gateway) -> str:
    return await hello(gateway, gateway.world.authority.issue(PEER, uris=["spiffe://bund/nord"]))


@_GROUP.case(Reason.ORIGIN_MISMATCH, alarm=True)
async def our_own_name_over_a_strange_certificate(gateway: Gateway) -> str:
    return await hello(gateway, origin="krz")


@_GROUP.case(Reason.CENTRE_SUSPENDED, alarm=True)
async def single_call_of_a_suspended_centre(gateway: Gateway) -> str:
    await _suspend(gateway)
    async with gateway.channel() as channel:
        stub = link_service_pb2_grpc.LinkServiceStub(channel)
        return await refusal(stub.GetPosition(pb.GetPositionRequest(hello=make_hello())))


async def _handshake(gateway: Gateway, certificate: Certificate) -> str:
    """Return how a connection with a bad certificate ends."""
    try:
        reason = await hello(gateway, certificate)
    except ValueError:  # gRPC's client does not take the pair itself
        return Answer.HANDSHAKE
    return Answer.HANDSHAKE if reason == Reason.UNAVAILABLE else reason

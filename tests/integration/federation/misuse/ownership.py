"""Whose letter it is, and to whom."""

from dataclasses import replace
from datetime import datetime, timedelta

from amtsbruecke.exchange.v1beta1 import envelope_pb2

from centre.kernel import clock
from federation.protocol.reasons import Reason
from tests.factories.letters import Office, letter
from tests.integration.federation.misuse.hands import delete_alpha, honest, item
from tests.integration.federation.misuse.table import group
from tests.plugins.gateway import PEER, Gateway

_GROUP = group("Whose letter")


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_of_an_authority_of_another_centre(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await item(gateway, letter(offices["dresden"], offices["alpha"]))


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_of_another_centre_relayed_under_our_own_name(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await item(gateway, letter(offices["dresden"], offices["alpha"], origin=PEER))


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_that_names_another_centre_of_origin(gateway: Gateway) -> str:
    return await item(gateway, honest(gateway, origin="sachsen"))


@_GROUP.case(Reason.AUTHORITY_NOT_REPRESENTED, alarm=True)
async def letter_in_the_name_of_the_recipient_himself(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await item(gateway, letter(offices["beta"], offices["alpha"], origin=PEER))


@_GROUP.case(Reason.SIGNATURE_INVALID, alarm=True)
async def letter_signed_by_a_colleague(gateway: Gateway) -> str:
    offices = gateway.world.offices
    outer = envelope_pb2.SignedEnvelope.FromString(honest(gateway, signer=offices["luebeck"]))
    outer.signature.signer = offices["luebeck"].id.bytes
    return await item(gateway, outer.SerializeToString())


@_GROUP.case(Reason.SIGNER_UNKNOWN)
async def letter_signed_with_a_key_that_is_not_in_the_directory(gateway: Gateway) -> str:
    return await item(gateway, honest(gateway, signer=Office(PEER)))


@_GROUP.case(Reason.SIGNER_UNKNOWN)
async def letter_of_an_authority_that_nobody_knows(gateway: Gateway) -> str:
    return await item(gateway, letter(Office(PEER), gateway.world.offices["alpha"]))


async def _with_kiels_key(gateway: Gateway, **times: datetime) -> str:
    kiel = replace(gateway.world.offices["kiel"], **times)
    gateway.world.directory = gateway.world.directory.with_office(kiel)
    await gateway.lookout.refresh()
    return await item(gateway, honest(gateway))


@_GROUP.case(Reason.SIGNER_UNKNOWN)
async def letter_written_after_its_key_had_ended(gateway: Gateway) -> str:
    return await _with_kiels_key(gateway, not_after=clock.now() - timedelta(days=30))


@_GROUP.case(Reason.SIGNER_UNKNOWN)
async def letter_written_before_its_key_begins(gateway: Gateway) -> str:
    return await _with_kiels_key(gateway, not_before=clock.in_future(days=30))


@_GROUP.case(Reason.AUTHORITY_SUSPENDED)
async def letter_of_a_suspended_authority(gateway: Gateway) -> str:
    kiel = gateway.world.offices["kiel"]
    suspended = Office(PEER, kiel.id, kiel.signing, kiel.sealing, state="suspended")
    gateway.world.directory = gateway.world.directory.with_office(suspended)
    await gateway.lookout.refresh()
    return await item(gateway, honest(gateway))


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def letter_to_an_authority_of_another_centre(gateway: Gateway) -> str:
    offices = gateway.world.offices
    return await item(gateway, letter(offices["kiel"], offices["dresden"]))


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def letter_to_an_authority_that_the_directory_has_here_but_we_do_not(gateway: Gateway) -> str:
    guest = Office("krz")
    gateway.world.directory = gateway.world.directory.with_office(guest)
    await gateway.lookout.refresh()
    return await item(gateway, letter(gateway.world.offices["kiel"], guest))


@_GROUP.case(Reason.RECIPIENT_DELETED)
async def letter_to_an_authority_that_was_deleted_here(gateway: Gateway) -> str:
    await delete_alpha(gateway, home="krz")
    return await item(gateway, honest(gateway))


@_GROUP.case(Reason.RECIPIENT_DELETED)
async def letter_to_an_authority_that_was_deleted_and_left_the_directory(gateway: Gateway) -> str:
    await delete_alpha(gateway, home=None)
    return await item(gateway, honest(gateway))


@_GROUP.case(Reason.RECIPIENT_UNKNOWN)
async def letter_to_an_authority_that_was_deleted_here_and_lives_elsewhere(
    gateway: Gateway,
) -> str:
    await delete_alpha(gateway, home="sachsen")
    return await item(gateway, honest(gateway))


@_GROUP.case(Reason.RECIPIENT_SUSPENDED)
async def letter_to_a_suspended_authority(gateway: Gateway) -> str:
    alpha = gateway.world.offices["alpha"]
    suspended = Office("krz", alpha.id, alpha.signing, alpha.sealing, state="suspended")
    gateway.world.directory = gateway.world.directory.with_office(suspended)
    await gateway.lookout.refresh()
    return await item(gateway, honest(gateway))

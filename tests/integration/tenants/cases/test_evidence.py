"""The file that a municipality takes of its case, examined by somebody who has nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings

from centre.directory import encoding, selectors
from centre.directory.interface import Directory
from centre.keys.sign import SigningKey
from federation.protocol.messages import MessageKind
from federation.wire import evidence, examination
from federation.wire.examination import Ruling, Verdict
from tenants.cases.errors import NotAllowed
from tenants.cases.evidence import export_evidence
from tenants.cases.wire import reference_in
from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role

Town = Any
FORMER, UMBRELLA = SigningKey.generate(), SigningKey.generate()


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.AMTSBRUECKE = replace(
        django_settings.AMTSBRUECKE,
        umbrella_keys=(UMBRELLA.verify_key.raw, FORMER.verify_key.raw),
    )


@pytest.fixture
def publish(known: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return the function that publishes versions of the directory, from the first on."""

    def publish(*versions: tuple[Directory, SigningKey]) -> None:
        signed = [encoding.sign_snapshot(each.snapshot, by=key) for each, key in versions]
        monkeypatch.setattr(
            selectors,
            "signed_snapshot",
            lambda version=None: (version or len(signed), signed[(version or len(signed)) - 1]),
        )
        monkeypatch.setattr(selectors, "present", lambda: versions[-1][0])

    publish((selectors.current(), UMBRELLA))
    return publish


def export(town: Town, case_id: UUID) -> bytes:
    with town.scope():
        return export_evidence(case_id=case_id, by=town.by)


def examine(file: bytes) -> Verdict:
    return examination.verify(file, reference_in=reference_in)


def test_export_is_signed_by_the_municipality_and_says_what_lacks_a_receipt(
    publish: Callable[..., None], a: Town, case_id: UUID
) -> None:
    verdict = examine(export(a, case_id))
    assert verdict.problems == verdict.gaps == ()
    assert verdict.case_reference == a.case(case_id).reference
    assert verdict.exported_by == a.municipality.name
    assert verdict.anchors == (UMBRELLA.kid,)
    assert {finding.problems for finding in verdict.findings} == {()}
    request_ = verdict.findings[0]
    assert request_.kind == MessageKind.ASSISTANCE_REQUEST
    assert request_.content_proven
    assert "Quittung fehlt" in request_.gaps[0]
    assert verdict.ruling is Ruling.PARTLY


def test_export_after_a_rotation_carries_all_keys_of_the_umbrella_and_the_directory_of_before(
    publish: Callable[..., None], a: Town, case_id: UUID
) -> None:
    known = selectors.current()
    others = tuple(each for each in known.snapshot.authorities if each.id != a.id)
    later = replace(known.snapshot, version=2, authorities=others)
    publish((known, FORMER), (Directory(later, digest=""), UMBRELLA))
    file = export(a, case_id)
    assert evidence.read(file).bundle.umbrella_keys == (
        UMBRELLA.verify_key.raw,
        FORMER.verify_key.raw,
    )
    verdict = examine(file)
    assert verdict.ruling is Ruling.PARTLY
    assert verdict.anchors == (UMBRELLA.kid, FORMER.kid)


def test_readers_get_no_file(a: Town, case_id: UUID) -> None:
    with a.scope():
        Clerk.objects.filter(pk=a.by.id).update(role=Role.READER)
    with pytest.raises(NotAllowed):
        export(a, case_id)

"""What the end of a call means."""

import grpc
import pytest

from federation.dispatch.faults import judge
from federation.dispatch.isolation import Ending
from federation.protocol.reasons import Reason
from federation.wire.errors import Failure


def failure(code: grpc.StatusCode, reason: Reason) -> Failure:
    return Failure(code, reason, reason.reaction, "words")


@pytest.mark.parametrize(
    ("code", "reason", "ending"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Reason.FRAME_MALFORMED, Ending.KILLED),
        (grpc.StatusCode.INTERNAL, Reason.INTERNAL, Ending.KILLED),
        (grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE, Ending.CUT),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED, Ending.CUT),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.RATE_EXCEEDED, None),
        (grpc.StatusCode.FAILED_PRECONDITION, Reason.SEQUENCE_GAP, None),
        (grpc.StatusCode.PERMISSION_DENIED, Reason.CENTRE_SUSPENDED, None),
    ],
)
def test_only_faults_of_the_frame_suspect_the_frame(
    code: grpc.StatusCode, reason: Reason, ending: Ending | None
) -> None:
    assert judge(failure(code, reason)).ending is ending


def test_peer_that_does_not_know_us_calls_for_a_person_and_the_directory() -> None:
    fault = judge(failure(grpc.StatusCode.UNAUTHENTICATED, Reason.PEER_UNKNOWN))
    assert (fault.alarm, fault.refresh) == (True, True)

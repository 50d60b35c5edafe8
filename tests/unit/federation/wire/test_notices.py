import pytest

from centre.kernel.ids import new_id
from federation.protocol import limits
from federation.protocol.errors import MessageUnprocessable
from federation.protocol.notices import ProcessingFailureNotice
from federation.wire import notices


def _notice(*, reason: str = "PAYLOAD_INVALID", text: str = "") -> ProcessingFailureNotice:
    return ProcessingFailureNotice(message_id=new_id(), reason=reason, text=text)


def test_failure_notice_is_read_as_it_was_written() -> None:
    notice = _notice(text="ä" * limits.MAX_NOTICE_TEXT)
    assert notices.read_processing_failure(notices.write_processing_failure(notice)) == notice


@pytest.mark.parametrize(
    "notice",
    [
        _notice(reason=""),
        _notice(reason="A\0B"),
        _notice(text="a\0b"),
    ],
    ids=["none", "nul", "nul in text"],
)
def test_failure_notice_that_nobody_could_keep_is_refused(notice: ProcessingFailureNotice) -> None:
    with pytest.raises(MessageUnprocessable):
        notices.read_processing_failure(notices.write_processing_failure(notice))

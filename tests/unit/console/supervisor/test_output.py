import io
from pathlib import Path

from console.supervisor.output import Output


def test_line_bears_centre_and_process_and_goes_to_its_file(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(terminal)
    output.line("krz", "web", "hello", log=tmp_path / "web.log")
    assert terminal.getvalue() == "krz web          | hello\n"
    assert (tmp_path / "web.log").read_text() == "hello\n"


def test_without_a_terminal_the_file_still_fills(tmp_path: Path) -> None:
    Output(None).line("krz", "web", "hello", log=tmp_path / "web.log")
    assert (tmp_path / "web.log").read_text() == "hello\n"

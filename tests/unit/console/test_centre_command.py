"""`amtsbruecke centre create`: what is said of a centre that was just set up."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console import preparing
from console.commands import centre as centre_command
from console.errors import ConsoleError
from console.home import CentreFolder, Home


def _prepare(folder: CentreFolder, wanted: preparing.Wanted) -> list[str]:
    """Stand for the preparation: only the settings are written."""
    folder.create()
    said: dict[str, Any] = {"role": "umbrella", "gateway": wanted.gateway, "umbrella": ""}
    ports = preparing.Ports.of(wanted.first_port, 0)
    folder.write_settings(preparing.settings_for(folder, ports=ports, **said))
    return []


@pytest.mark.parametrize(("port", "differs"), [(8401, False), (8443, True)])
def test_another_port_than_others_are_told_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, *, differs: bool
) -> None:
    """Nobody would reach the centre, and nothing else would say why."""
    monkeypatch.setattr(preparing, "create", _prepare)
    home = Home(tmp_path)
    at = ("--gateway", f"gateway.dach.example:{port}", "--first-port", "8400")
    done = CliRunner().invoke(centre_command.command, ("create", "dach", *at), obj=home)
    assert done.exit_code == 0, done.output
    words = (
        f"Others are told gateway.dach.example:{port}, but the gateway listens on 127.0.0.1:8401."
        f" Lead the one to the other, or set AMTSBRUECKE_GATEWAY_BIND=0.0.0.0:{port} in"
        f" {home.centre('dach').settings_file}.\n"
    )
    assert (words in done.output) == differs
    assert ("Others are told" in done.output) == differs


def test_without_a_home_the_way_to_a_centre_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "nowhere")
    refused = CliRunner().invoke(centre_command.command, ("status",), obj=home).exception
    assert isinstance(refused, ConsoleError)
    assert "amtsbruecke centre create" in refused.hint
    assert "make demo" in refused.hint

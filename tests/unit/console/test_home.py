import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from centre.config.environment import Environment
from console.engines import role_prefix
from console.errors import SettingMissing
from console.home import Home, Ports, parse_settings


def test_settings_come_back_as_written_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder = Home(tmp_path / "home").centre("krz")
    folder.create()
    folder.write_settings({"AMTSBRUECKE_SECRET_KEY": "a=b #c", "AMTSBRUECKE_CENTRE": "krz"})
    assert folder.settings() == {"AMTSBRUECKE_SECRET_KEY": "a=b #c", "AMTSBRUECKE_CENTRE": "krz"}
    assert stat.S_IMODE(folder.settings_file.stat().st_mode) == 0o600


ODD = {
    "A": "postgresql://krz_web:p%40ss@/amtsbruecke?host=/a folder/run&port=5432",
    "B": '$HOME `id` \\n \\\\ "quoted" it\'s #1 * ~; (x) | y > z !!',
    "C": "",
    "D": "~",
    "E": "'",
    "F": '"',
    "G": "back\\",
    "H": "postgres valkey",
    "I": "Straße 1",
}


def test_a_shell_reads_the_settings_as_we_do(tmp_path: Path) -> None:
    folder = Home(tmp_path).centre("krz")
    folder.create()
    folder.write_settings(ODD)
    assert folder.settings() == ODD
    printer = "import json, os; print(json.dumps(dict(os.environ)))"
    script = 'set -a; . "$1"; exec "$2" -c "$3"'
    done = subprocess.run(
        ["sh", "-euc", script, "sh", folder.settings_file, sys.executable, printer],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert {name: said[name] for name in ODD} == ODD


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=postgresql:///x?host=/a b&port=1", "postgresql:///x?host=/a b&port=1"),
        ("A=it's $5 \\$", "it's $5 \\$"),
        ("A='by hand & so'", "by hand & so"),
        ('A="open', '"open'),
        ("A='a' b 'c'", "'a' b 'c'"),
    ],
)
def test_values_of_older_files_and_of_hands_are_understood(line: str, value: str) -> None:
    assert parse_settings(line, Path("f")) == {"A": value}


def test_settings_are_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = Home(tmp_path).centre("krz")
    folder.create()
    folder.write_settings({"OLD": "1"})
    folder.settings_file.with_suffix(".env.new").write_text("torn by a crash")
    folder.write_settings({"NEW": "2"})
    assert folder.settings() == {"NEW": "2"}
    assert [path.name for path in folder.path.iterdir()] == ["centre.env"]


def test_comments_and_empty_lines_are_no_settings() -> None:
    assert parse_settings("# a comment\n\n  NAME = x\n".replace(" = ", "="), Path("f")) == {
        "NAME": "x"
    }


def test_torn_line_is_named_with_its_number() -> None:
    with pytest.raises(SettingMissing, match=r"Line 2 of f is not NAME=value"):
        parse_settings("NAME=x\nwhat is this\n", Path("f"))


def test_unknown_centre_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    for name in ("nord", "krz"):
        folder = Home(tmp_path).centre(name)
        folder.create()
        folder.write_settings({})
    with pytest.raises(SettingMissing, match="known: krz, nord"):
        Home(tmp_path).existing("sued")


@pytest.mark.parametrize("name", ["", "KRZ", "../etc", "a/b", "9a", "a" * 32])
def test_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingMissing):
        Home(tmp_path).centre(name)


def test_blocks_of_ports_do_not_overlap() -> None:
    blocks = [Ports.of(8400, place) for place in range(5)]
    used = [
        port
        for block in blocks
        for port in (
            block.web,
            block.gateway,
            block.metrics_gateway,
            block.metrics_dispatch,
            block.metrics_web,
        )
    ]
    assert len(set(used)) == len(used)
    assert min(used) == 8400


@pytest.mark.parametrize(("base", "place"), [(0, 0), (-5, 0), (65_530, 0), (65_500, 4)])
def test_port_base_without_room_is_refused(base: int, place: int) -> None:
    with pytest.raises(SettingMissing, match="leaves no room"):
        Ports.of(base, place)


@pytest.mark.parametrize("name", ["krz", "owl-it", "rechenzentrum-minden-ravensberg", "a1"])
def test_roles_are_named_as_the_processes_will_look_for_them(tmp_path: Path, name: str) -> None:
    folder = Home(tmp_path).centre(name)
    read = Environment.from_mapping({"AMTSBRUECKE_CENTRE": name})
    assert role_prefix(folder) == read.role_prefix
    folder.create()
    folder.write_settings({"AMTSBRUECKE_ROLE_PREFIX": "other"})
    assert role_prefix(folder) == "other"

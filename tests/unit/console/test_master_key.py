"""A master key that cannot be one is told at the start, before anything else is tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from centre.config.environment import Environment
from centre.keys.errors import MasterKeyWrong
from centre.keys.wrapping import MasterKey
from console.doctor import Grade, identity
from console.home import Home
from console.preparing import make_secrets

#: No server is there: the key is looked at first.
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
NEW = ["create", "x", "--name", "X", "--ags", "05770004", "--ars", "057700004004"]


@pytest.mark.parametrize(
    "arguments",
    [["web"], ["gateway"], ["worker"], ["tenant", *NEW], ["import", __file__, "--tenant", "x"]],
    ids=lambda arguments: arguments[0],
)
def test_who_needs_the_key_says_what_is_wrong_with_it(tmp_path: Path, arguments: list[str]) -> None:
    logins = ("OWNER", "WEB", "WORKER", "FEDERATION")
    environment = {
        "AMTSBRUECKE_HOME": str(tmp_path),
        "AMTSBRUECKE_CENTRE": "krz",
        "AMTSBRUECKE_SECRET_KEY": "x" * 50,
        "AMTSBRUECKE_MASTER_KEY_FILE": str(tmp_path),
        "AMTSBRUECKE_BROKER_URL": "amqp://127.0.0.1:1//",
        "AMTSBRUECKE_GATEWAY_BIND": "127.0.0.1:1",
        "AMTSBRUECKE_TLS_DIR": str(tmp_path),
        **{f"AMTSBRUECKE_{login}_DATABASE_URL": NOWHERE for login in logins},
    }
    done = subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        f"Error: The master key {tmp_path} cannot be read: Is a directory. It must be a file of 32"
        " bytes that others may not read (mode 0600, or 0640 where a group needs it). If it is"
        " lost, put the copy from your back-up there: no other key opens what is stored.\n"
    )


def test_the_doctor_says_it_too(tmp_path: Path) -> None:
    variables = {"AMTSBRUECKE_MASTER_KEY_FILE": str(tmp_path)}
    (finding,) = identity.secrets(Environment.from_mapping(variables))
    assert finding.grade is Grade.BAD
    assert "It must be a file of 32 bytes" in finding.text


@pytest.mark.parametrize(("mode", "grade"), [(0o640, Grade.GOOD), (0o644, Grade.BAD)])
def test_the_group_may_read_it_and_others_may_not(tmp_path: Path, mode: int, grade: Grade) -> None:
    """Secrets that a cluster mounts belong to a group."""
    path = tmp_path / "master.key"
    MasterKey.create_file(path)
    path.chmod(mode)
    variables = {"AMTSBRUECKE_MASTER_KEY_FILE": str(path)}
    assert [each.grade for each in identity.secrets(Environment.from_mapping(variables))] == [grade]


def test_a_centre_is_not_set_up_with_what_is_no_key(tmp_path: Path) -> None:
    folder = Home(tmp_path).centre("krz")
    folder.create()
    (folder.path / "master.key").mkdir()
    with pytest.raises(MasterKeyWrong, match="Is a directory"):
        make_secrets(folder)

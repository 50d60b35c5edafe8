"""A centre from nothing, with the operator's commands alone, on a database and a broker of others.

Both may be named from outside (tests/README.md): so the same way is gone with PostgreSQL 16 and
RabbitMQ.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from centre.keys import pki
from console.cluster import ClusterRefused, ensure_cluster
from console.embedded.postgres import FAST, EmbeddedPostgres
from console.embedded.valkey import EmbeddedValkey
from console.home import Home
from console.supervisor.output import Output
from console.supervisor.supervisor import Supervisor
from tests.factories.import_files import file, row
from tests.integration.console.running import ROOT, ask, eventually

FIRST_PORT = 21_880
UMBRELLA, CENTRE = "dach", "neu"
DBA, SECRET = "amtsbruecke_test_dba", "of-tests"
TOWNS = (
    ("minden", "Minden, Stadt", "05770024", "057700024024", "32423", "Minden"),
    ("herford", "Herford, Stadt", "05758012", "057580012012", "32049", "Herford"),
)
LOGIN_PASSWORD = "Muehlbach.77.Steg"


@pytest.fixture(scope="module")
def administrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of somebody who may make roles and databases, and is no superuser."""
    with ExitStack() as stack:
        superuser = os.environ.get("AMTSBRUECKE_TEST_POSTGRES")
        if superuser is None:
            server = EmbeddedPostgres(tmp_path_factory.mktemp("server"), settings=FAST)
            superuser = stack.enter_context(server).admin_dsn
        with psycopg.connect(superuser, autocommit=True) as connection:
            _clear(connection)
            connection.execute(f"CREATE ROLE {DBA} LOGIN CREATEROLE CREATEDB PASSWORD '{SECRET}'")
        yield make_conninfo(superuser, user=DBA, password=SECRET)


def _clear(connection: psycopg.Connection[Any]) -> None:
    """Remove what an earlier run has left on a server that stays."""
    connection.execute(f"DROP DATABASE IF EXISTS amtsbruecke_{CENTRE} WITH (FORCE)")
    connection.execute("DROP DATABASE IF EXISTS of_somebody_else WITH (FORCE)")
    roles = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname ~ %s OR rolname = %s", [f"^{CENTRE}_", DBA]
    ).fetchall()
    for (name,) in sorted(roles, key=lambda each: each[0] == DBA):
        connection.execute(f'DROP OWNED BY "{name}"')
        connection.execute(f'DROP ROLE "{name}"')


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if named := os.environ.get("AMTSBRUECKE_TEST_BROKER"):
        yield named
        return
    with EmbeddedValkey(tmp_path_factory.mktemp("broker")) as engine:
        yield engine.url


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def amtsbruecke(home: Home) -> Callable[..., str]:
    """Run a command as a person does; return what it says."""

    def run(*arguments: str, said: str = "", code: int = 0) -> str:
        plain = {name: at for name, at in os.environ.items() if "AMTSBRUECKE" not in name}
        plain.pop("DJANGO_SETTINGS_MODULE", None)
        done = subprocess.run(
            [sys.executable, "-m", "console", "--home", str(home.path), *arguments],
            env=plain,
            cwd=ROOT,
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def early() -> dict[str, str]:
    """What commands say before anything is published."""
    return {}


@pytest.fixture(scope="module")
def centre(
    home: Home,
    amtsbruecke: Callable[..., str],
    administrator: str,
    broker: str,
    early: dict[str, str],
) -> Iterator[Callable[..., str]]:
    """An umbrella with a database of its own, and a centre; return the centre's command."""
    gateway = f"127.0.0.1:{FIRST_PORT + 1}"
    at = ["--gateway", gateway, "--first-port", str(FIRST_PORT)]
    amtsbruecke("centre", "create", UMBRELLA, "--umbrella", *at)
    amtsbruecke("pki", "init")
    amtsbruecke("pki", "issue", UMBRELLA)
    with Supervisor(home, output=Output(None)) as supervisor:
        supervisor.start([home.centre(UMBRELLA)])
        key = amtsbruecke("--centre", UMBRELLA, "directory", "key").strip()
        said = amtsbruecke(
            *("centre", "create", CENTRE, "--domain", f"{CENTRE}.localhost"),
            *("--gateway", f"127.0.0.1:{FIRST_PORT + 11}", "--first-port", str(FIRST_PORT + 10)),
            *("--directory-from", gateway, "--umbrella-key", key),
            *("--database", administrator, "--broker", broker),
        )
        assert "tenant create" in said
        assert "Others are told" not in said
        amtsbruecke("pki", "issue", CENTRE)
        supervisor.start([home.centre(CENTRE)])

        def ours(*arguments: str, **more: Any) -> str:
            return amtsbruecke("--centre", CENTRE, *arguments, **more)

        for slug, name, ags, ars, *_ in TOWNS:
            ours(
                *("tenant", "create", slug, "--name", name, "--ags", ags, "--ars", ars),
                *("--admin-login", "leitung", "--admin-password-stdin"),
                said=LOGIN_PASSWORD,
            )
        areas, entry = home.path / "areas.csv", home.path / "neu.entry"
        areas.write_text("slug,ars,postcode,place\nminden,,32423,Minden\nherford,,32049,Herford\n")
        ours("directory", "entry", str(areas), str(entry), "--name", "Rechenzentrum Neu")
        early["doctor"] = amtsbruecke("--centre", UMBRELLA, "doctor")
        early["heads"] = amtsbruecke("--centre", UMBRELLA, "audit", "heads")
        eventually(
            lambda: "does not hand out" not in ours("directory", "fetch", code=2),
            what="the umbrella's gateway answers",
        )
        early["fetch"] = ours("directory", "fetch", code=2)
        amtsbruecke("--centre", UMBRELLA, "directory", "publish", str(entry), "--yes")
        eventually(lambda: _is_ready(FIRST_PORT + 14), what="the pages are ready")
        ours("directory", "fetch")
        yield ours


def _is_ready(port: int) -> bool:
    try:
        return ask(port, "/readyz").status == 200
    except OSError:
        return False


def test_a_request_crosses_and_the_pages_have_their_looks(
    home: Home, centre: Callable[..., str]
) -> None:
    rows = (row(number, PLZ="32049", Ort="Herford") for number in range(1, 4))
    path = home.path / "ersuchen.csv"
    path.write_bytes(file(*rows))
    centre("import", "--tenant", "minden", str(path))
    url = home.centre(CENTRE).settings()["AMTSBRUECKE_OWNER_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:

        def registered() -> bool:
            states = connection.execute("SELECT state FROM m_minden.cases_case").fetchall()
            return states == [("registered",)] * 3

        eventually(registered, what="all three are registered at the other town")
    host = f"minden.{CENTRE}.localhost"
    page = ask(FIRST_PORT + 10, "/anmelden/", Host=host)
    assert page.status == 200
    (sheet, *_) = re.findall(r'href="(/static/[^"]+\.css)"', page.text)
    assert ask(FIRST_PORT + 10, sheet, Host=host).status == 200
    assert "problem" not in centre("doctor")
    assert "intact" in centre("audit", "verify")


@pytest.mark.usefixtures("centre")
def test_before_anything_is_published_everybody_is_told_what_is_next(early: dict[str, str]) -> None:
    assert "The umbrella has published nothing yet." in early["fetch"]
    assert f"amtsbruecke --centre {CENTRE} directory entry AREAS.csv" in early["fetch"]
    assert f"amtsbruecke --centre {UMBRELLA} directory publish ENTRY" in early["doctor"]
    assert "an umbrella has none" in early["heads"]


def test_an_old_directory_is_the_umbrellas_to_renew(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]
) -> None:
    program = (
        "from datetime import timedelta\n"
        "from console.roles import become\n"
        "become('owner')\n"
        "from centre.directory import services\n"
        "from centre.kernel import clock\n"
        "from centre.keys import keystore\n"
        "from console.operator import operator\n"
        "keystore.centre_signing_key()  # kept in memory; it began later than 30 hours ago\n"
        "with clock.frozen(clock.now() - timedelta(hours=30)):\n"
        "    services.publish(by=operator(), renew=True)\n"
    )
    path = ":".join(map(str, (ROOT, ROOT / "platform", ROOT / "proto/gen")))
    environment = {**home.centre(UMBRELLA).environment(), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, check=True)
    centre("directory", "fetch")
    assert "the umbrella has published nothing for 30 hours" in centre("doctor")
    said = amtsbruecke("--centre", UMBRELLA, "doctor")
    assert "published 30 hours ago" in said
    assert f"amtsbruecke --centre {UMBRELLA} directory publish --renew" in said
    amtsbruecke("--centre", UMBRELLA, "directory", "publish", "--renew")
    assert "published less than an hour ago" in amtsbruecke("--centre", UMBRELLA, "doctor")
    said = centre("doctor")
    assert f"amtsbruecke --centre {CENTRE} directory fetch" in said or "fresh" in said  # by itself
    centre("directory", "fetch")
    assert "fresh" in centre("doctor")


def test_a_suspended_municipality_stays_in_the_directory_as_such(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]
) -> None:
    centre("tenant", "suspend", "herford")
    said = _publish(home, centre, amtsbruecke)
    assert "herford is suspended, and listed as such" in said
    assert "2 authorities" in said
    assert "Herford, Stadt (suspended)" in centre("directory", "show", "--authorities")
    assert "herford,,32049,Herford\n" in centre("directory", "areas")
    assert "The directory lists it as suspended" in centre("tenant", "resume", "herford")
    _publish(home, centre, amtsbruecke)
    assert "(suspended)" not in centre("directory", "show", "--authorities")
    assert "lists it" not in centre("tenant", "resume", "herford")


def _publish(home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]) -> str:
    """Register the centre anew with the areas that are published; return what `entry` says."""
    areas, entry = home.path / "again.csv", home.path / "again.entry"
    areas.write_text(centre("directory", "areas"))
    said = centre("directory", "entry", str(areas), str(entry), "--name", "Rechenzentrum Neu")
    amtsbruecke("--centre", UMBRELLA, "directory", "publish", str(entry), "--yes")
    centre("directory", "fetch")
    return said


def test_a_certificate_is_renewed_as_the_guide_says(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]
) -> None:
    tls = home.centre(CENTRE).tls
    before = (tls / "centre.pem").read_bytes()
    amtsbruecke("pki", "renew", CENTRE)
    old, new = pki.fingerprint(before), pki.fingerprint((tls / "centre.next.pem").read_bytes())
    refused = amtsbruecke("pki", "renew", CENTRE, "--activate", code=2)
    assert f"The directory does not list {new} yet" in refused
    assert f"amtsbruecke --centre {CENTRE} directory entry" in refused
    assert (tls / "centre.pem").read_bytes() == before
    said = _publish(home, centre, amtsbruecke)
    assert f"certificate {old}\ncertificate {new}\n" in said
    shown = centre("directory", "show")
    assert old in shown
    assert new in shown
    # Named in another centre's shell, it is still this one's directory that counts.
    amtsbruecke("--centre", UMBRELLA, "pki", "renew", CENTRE, "--activate")
    assert pki.fingerprint((tls / "centre.pem").read_bytes()) == new
    assert old not in _publish(home, centre, amtsbruecke)
    assert old not in centre("directory", "show")


def test_create_again_changes_nothing(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str], administrator: str
) -> None:
    before = home.centre(CENTRE).settings()
    said = amtsbruecke(
        *("centre", "create", CENTRE, "--domain", "another.example", "--gateway", "a:1"),
        *("--database", administrator),
    )
    assert "Kept as they were: " in said
    assert "AMTSBRUECKE_WEB_DOMAIN" in said
    assert home.centre(CENTRE).settings() == before
    assert "minden" in centre("tenant", "list")
    secret = before["AMTSBRUECKE_SECRET_KEY"]
    assert secret not in said
    assert SECRET not in home.centre(CENTRE).settings_file.read_text()  # the administrator's


def test_create_again_while_it_runs_says_how_to_go_on(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]
) -> None:
    """Its database is held by the supervisor, which nobody shall end for this."""
    before = home.centre(UMBRELLA).settings()
    said = amtsbruecke("centre", "create", UMBRELLA, "--umbrella", "--gateway", "a:1", code=2)
    assert f"{UMBRELLA} runs already: nothing was changed." in said
    assert f"amtsbruecke centre stop {UMBRELLA}" in said
    assert home.centre(UMBRELLA).settings() == before


def test_an_address_of_nobody_here_is_refused(home: Home, centre: Callable[..., str]) -> None:
    areas = home.path / "wrong.csv"
    areas.write_text("slug,ars,postcode,place\nminden,,32423,Minden\nkiel,,24103,Kiel\n")
    into = home.path / "wrong.entry"
    said = centre("directory", "entry", str(areas), str(into), "--name", "Neu", code=2)
    assert "Line 3" in said
    assert "'kiel'" in said
    assert not into.exists()
    areas.write_text("slug,ars,postcode,place\nminden,,32423,Minden\n")
    said = centre("directory", "entry", str(areas), str(into), "--name", "Neu")
    assert "herford has no line" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Falsch", "--gateway", "a:1", "--domain", "a.example"], "cannot be the name"),
        (["drei", "--gateway", "a:1"], "needs a domain"),
        (["drei", "--gateway", "a:1", "--domain", "a.example", "--first-port", "70000"], "ports"),
        (["drei", "--gateway", "a:1", "--domain", "a.example", "--umbrella-key", "x"], "Ed25519"),
        (["drei", "--gateway", "a:1", "--domain", "a b"], "no domain"),
        (["drei", "--gateway", "a:1", "--domain", "*.example"], "no domain"),
        (["drei", "--gateway", "", "--domain", "a.example"], "no address"),
        (["drei", "--gateway", "http://a:1", "--domain", "a.example"], "no address"),
        (["drei", "--gateway", "a:99999", "--domain", "a.example"], "no address"),
        (["drei", "--gateway", "a:1\nX=1:2", "--domain", "a.example"], "no address"),
        (["drei", "--gateway", "a:1", "--domain", "a.example", "--broker", "mq"], "broker"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(
    home: Home, amtsbruecke: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in amtsbruecke("centre", "create", *arguments, code=2)
    assert not (home.path / "centres" / "drei").exists()


def test_a_centre_with_its_own_database_gets_no_second_one(
    centre: Callable[..., str], amtsbruecke: Callable[..., str], administrator: str, home: Home
) -> None:
    before = home.centre(UMBRELLA).settings()
    said = amtsbruecke(
        *("centre", "create", UMBRELLA, "--umbrella", "--gateway", "a:1"),
        *("--database", administrator),
        code=2,
    )
    assert "has the database that comes along already" in said
    assert home.centre(UMBRELLA).settings() == before


def test_a_port_of_another_centre_is_refused(
    home: Home, centre: Callable[..., str], amtsbruecke: Callable[..., str]
) -> None:
    taken = ["--gateway", "a:1", "--domain", "a.example", "--first-port", str(FIRST_PORT)]
    assert f"{UMBRELLA} has the address" in amtsbruecke("centre", "create", "drei", *taken, code=2)
    assert not home.centre("drei").settings_file.exists()


def test_an_address_that_cannot_be_read_is_told_without_its_password(
    amtsbruecke: Callable[..., str], home: Home
) -> None:
    where = ["--gateway", "a:1", "--domain", "a.example", "--first-port", "21980"]
    for address in ("postgresql://u:SEKRET%PW@h/x", "postgresql://u:SEKRETPW@[bad", "nonsense"):
        said = amtsbruecke("centre", "create", "vier", *where, "--database", address, code=2)
        assert "cannot be read" in said
        assert "SEKRET" not in said
        assert "Traceback" not in said
    # What was wrong can be given again: only the secrets are kept.
    again = ["--gateway", "b:1", "--domain", "b.example", "--first-port", "21980"]
    amtsbruecke("centre", "create", "vier", *again, "--database", "nonsense", code=2)
    assert home.centre("vier").settings()["AMTSBRUECKE_WEB_DOMAIN"] == "b.example"


def test_a_centre_takes_no_other_ones_database(
    centre: Callable[..., str], amtsbruecke: Callable[..., str], administrator: str, home: Home
) -> None:
    """Their names give the same roles: n-eu and neu."""
    where = ["--gateway", "a:1", "--domain", "a.example", "--first-port", "21990"]
    other = ["centre", "create", "n-eu", *where, "--database", administrator]
    assert "belong to another centre" in amtsbruecke(*other, code=2)
    assert "minden" in centre("tenant", "list")  # its passwords are what they were
    elsewhere = ["--home", str(home.path / "elsewhere")]
    same = ["centre", "create", CENTRE, *where, "--database", administrator]
    assert "belong to another centre" in amtsbruecke(*elsewhere, *same, code=2)


def test_somebody_elses_database_is_left_alone(administrator: str) -> None:
    passwords = dict.fromkeys(("owner", "web", "worker", "federation"), "x")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("CREATE DATABASE of_somebody_else")
    with pytest.raises(ClusterRefused, match=f"belongs to {DBA}"):
        ensure_cluster(
            administrator, prefix=f"{CENTRE}_x", passwords=passwords, database="of_somebody_else"
        )
    with pytest.raises(ClusterRefused, match="CREATEROLE"):
        ensure_cluster(
            make_conninfo(administrator, user=f"{CENTRE}_x_web", password="x"),
            prefix=f"{CENTRE}_x",
            passwords=passwords,
            database=f"amtsbruecke_{CENTRE}",
        )

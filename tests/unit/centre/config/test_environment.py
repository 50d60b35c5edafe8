from pathlib import Path

import pytest

from centre.config.databases import database
from centre.config.environment import (
    Bind,
    CentreRole,
    Environment,
    EnvironmentInvalid,
    Process,
)

URL = "postgresql://krz_web:p%40ss@/amtsbruecke?host=/run/krz&port=5432"


def _read(**variables: str) -> Environment:
    return Environment.from_mapping({f"AMTSBRUECKE_{k}": v for k, v in variables.items()})


def test_empty_environment_can_be_read() -> None:
    environment = Environment.from_mapping({})
    assert environment.role is CentreRole.CENTRE
    assert environment.database_url == ""


def test_everything_is_parsed() -> None:
    environment = _read(
        HOME="/srv/amt",
        CENTRE="dataport-nord",
        ROLE="umbrella",
        PROCESS="worker",
        WORKER_DATABASE_URL=URL,
        WEB_BIND="[::1]:8100",
        GATEWAY_BIND="127.0.0.1:7100",
        UMBRELLA_KEYS=f"{'AB' * 32}, {'00' * 32}",
        DEBUG="yes",
        MASTER_KEY_FILE=" /etc/amt/master.key ",
    )
    assert environment.home == Path("/srv/amt")
    assert environment.role_prefix == "dataportnord"
    assert environment.database_url == URL
    assert environment.web_bind == Bind("::1", 8100)
    assert str(environment.web_bind) == "[::1]:8100"
    assert str(environment.gateway_bind) == "127.0.0.1:7100"
    assert environment.umbrella_keys == (b"\xab" * 32, bytes(32))
    assert environment.debug
    assert environment.master_key_file == Path("/etc/amt/master.key")


@pytest.mark.parametrize("days", ["0", "-1", "ten", "36501"])
def test_days_that_make_no_sense_are_refused(days: str) -> None:
    assert _read(KEEP_ATTEMPTS_DAYS="7").keep_attempts_days == 7
    with pytest.raises(EnvironmentInvalid, match="number of days"):
        _read(KEEP_ATTEMPTS_DAYS=days)


def test_what_looks_like_a_setting_and_is_none_is_named() -> None:
    environment = _read(DOKUMENTE="/srv", DOCUMENTS="/srv", WEB_DATABASE_URL=URL, EMBEDDED="valkey")
    assert environment.unknown == ("AMTSBRUECKE_DOKUMENTE",)
    assert _read(ADMIN_DATABASE_URL=URL, TEST_BROKER="x", PORT_BASE="1").unknown == ()
    assert Environment.from_mapping({"HOMES": "1"}).unknown == ()


@pytest.mark.parametrize("name", ["GATEWAYS", "DISPATCHERS", "WORKERS", "WEBS"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "17"])
def test_numbers_of_processes_that_make_no_sense_are_refused(name: str, number: str) -> None:
    assert getattr(_read(**{name: "2"}), name.lower()) == 2
    with pytest.raises(EnvironmentInvalid, match=f"AMTSBRUECKE_{name}: .* number of processes"):
        _read(**{name: number})


@pytest.mark.parametrize("schemas", ["0", "1", "many", "10001"])
def test_schemas_that_make_no_sense_are_refused(schemas: str) -> None:
    assert _read().schemas_per_connection == 64
    assert _read(SCHEMAS_PER_CONNECTION="500").schemas_per_connection == 500
    with pytest.raises(EnvironmentInvalid, match="number of schemas"):
        _read(SCHEMAS_PER_CONNECTION=schemas)


@pytest.mark.parametrize("quota", ["0", "-1", "1.5", "many", "1000001"])
def test_quotas_that_make_no_sense_are_refused(quota: str) -> None:
    assert _read().documents_quota_gb == 50
    assert _read(DOCUMENTS_QUOTA_GB="200").documents_quota_gb == 200
    with pytest.raises(EnvironmentInvalid, match="whole number of gigabytes"):
        _read(DOCUMENTS_QUOTA_GB=quota)


def test_proxies_are_addresses_and_networks() -> None:
    assert _read().web_proxies == ("127.0.0.1", "::1")
    given = _read(WEB_PROXIES="10.0.0.2, fd00::/8 10.1.0.0/16").web_proxies
    assert given == ("10.0.0.2", "fd00::/8", "10.1.0.0/16")
    assert _read(WEB_PROXIES="*").web_proxies == ("*",)


@pytest.mark.parametrize("proxy", ["proxy.example", "10.0.0.1/24", "10.0.0.2:80", "[::1]", ","])
def test_proxies_that_cannot_be_meant_are_refused(proxy: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=r"AMTSBRUECKE_WEB_PROXIES: .*such as 10\.0\.0\.2"):
        _read(WEB_PROXIES=f"::1 {proxy}" if proxy != "," else proxy)


def test_secrets_are_not_shown() -> None:
    shown = repr(_read(SECRET_KEY="hush", BROKER_URL="redis://:hush@x", WEB_DATABASE_URL=URL))
    assert "hush" not in shown
    assert "p%40ss" not in shown


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(EnvironmentInvalid) as error:
        _read(
            CENTRE="KRZ",
            ROLE="king",
            PROCESS="cook",
            WEB_BIND="8000",
            GATEWAY_BIND="host:70000",
            UMBRELLA_KEYS="abc",
            DEBUG="perhaps",
            ROLE_PREFIX="a-b",
        )
    told = str(error.value)
    for name in ("CENTRE", "ROLE", "PROCESS", "WEB_BIND", "GATEWAY_BIND", "UMBRELLA_KEYS"):
        assert f"AMTSBRUECKE_{name}: " in told
    assert "AMTSBRUECKE_DEBUG: 'perhaps' is neither 1 nor 0" in told
    assert "AMTSBRUECKE_ROLE_PREFIX: " in told


def test_missing_variables_are_named() -> None:
    environment = _read(CENTRE="krz", PROCESS="federation")
    with pytest.raises(EnvironmentInvalid) as error:
        environment.require("gateway_bind", "centre")
    told = str(error.value)
    assert "AMTSBRUECKE_FEDERATION_DATABASE_URL" in told
    assert "AMTSBRUECKE_SECRET_KEY" in told
    assert "AMTSBRUECKE_GATEWAY_BIND" in told
    assert "AMTSBRUECKE_CENTRE," not in told
    assert "Set them in the centre.env of krz" in told


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "name the centre: amtsbruecke --centre NAME"),
        ({"CENTRE": "krz"}, "Set it in the centre.env of krz"),
        ({"CENTRE": "kdn", "ROLE": "umbrella"}, "amtsbruecke --centre kdn umbrella"),
    ],
)
def test_who_lacks_a_broker_reads_what_to_do(variables: dict[str, str], advice: str) -> None:
    environment = _read(SECRET_KEY="x", WEB_DATABASE_URL=URL, **variables)
    with pytest.raises(EnvironmentInvalid) as error:
        environment.require("broker_url")
    assert advice in str(error.value)


def test_complete_environment_passes() -> None:
    _read(CENTRE="krz", SECRET_KEY="x", WEB_DATABASE_URL=URL).require()


def test_database_of_a_serving_process_has_a_pool() -> None:
    config = database(_read(WEB_DATABASE_URL=URL))
    assert config["ENGINE"] == "centre.tenancy.backend"
    assert config["NAME"] == "amtsbruecke"
    assert config["USER"] == "krz_web"
    assert config["PASSWORD"] == "p@ss"
    assert config["HOST"] == "/run/krz"
    assert config["PORT"] == "5432"
    assert config["OPTIONS"]["pool"]["max_lifetime"] <= 600


def test_database_of_the_owner_gives_up_on_locks() -> None:
    config = database(
        _read(PROCESS="owner", OWNER_DATABASE_URL="postgresql://o@h:5/db?sslmode=require")
    )
    assert "lock_timeout" in config["OPTIONS"]["options"]
    assert config["OPTIONS"]["sslmode"] == "require"
    assert "pool" not in config["OPTIONS"]
    assert config["PORT"] == "5"


def test_broken_url_names_its_variable() -> None:
    environment = _read(WEB_DATABASE_URL="postgresql://[broken")
    assert environment.process is Process.WEB
    with pytest.raises(EnvironmentInvalid, match="AMTSBRUECKE_WEB_DATABASE_URL"):
        database(environment)

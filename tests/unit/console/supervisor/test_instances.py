"""Several processes of a kind: their names and their doors."""

import pytest

from console.errors import SettingMissing
from console.supervisor.instances import all_doors, count, instances

SETTINGS = {
    "AMTSBRUECKE_GATEWAYS": "2",
    "AMTSBRUECKE_METRICS_BIND_GATEWAY": "127.0.0.1:8412",
    "AMTSBRUECKE_METRICS_BIND_WEB": "[::1]:8414",
}


def test_the_first_has_the_plain_name_and_the_ports_of_the_settings() -> None:
    first, second = instances("gateway", SETTINGS)
    assert (first.name, first.door) == ("gateway", ("127.0.0.1", 8412))
    assert (second.name, second.door) == ("gateway-2", ("127.0.0.1", 8416))
    assert second.environment == {"AMTSBRUECKE_METRICS_BIND_GATEWAY": "127.0.0.1:8416"}


def test_one_of_each_is_what_nobody_needs_to_ask_for() -> None:
    assert [each.name for each in instances("dispatch", {})] == ["dispatch"]
    assert [each.name for each in instances("beat", SETTINGS)] == ["beat"]


def test_doors_never_meet() -> None:
    doors = [door for _, door in all_doors(["gateway", "dispatch", "web"], SETTINGS)]
    assert doors == [("127.0.0.1", 8412), ("127.0.0.1", 8416), ("::1", 8414)]


def test_doors_of_many_processes_meet_no_neighbour() -> None:
    kinds = ["gateway", "dispatch", "web", "worker"]
    doors = [
        door
        for first in (8410, 8420, 8430)
        for _, door in all_doors(
            kinds,
            {
                f"AMTSBRUECKE_METRICS_BIND_{kind.upper()}": f"127.0.0.1:{first + 2 + place}"
                for place, kind in enumerate(kinds)
            }
            | {
                f"AMTSBRUECKE_{name}": "16"
                for name in ("GATEWAYS", "DISPATCHERS", "WORKERS", "WEBS")
            },
        )
    ]
    assert len(doors) == len(set(doors)) == 3 * 4 * 16
    others = {("127.0.0.1", block + port) for block in (8410, 8420, 8430) for port in (0, 1)}
    assert not others.intersection(doors)


@pytest.mark.parametrize("text", ["0", "17", "two", "-1"])
def test_a_number_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(SettingMissing, match="AMTSBRUECKE_WORKERS"):
        count("worker", {"AMTSBRUECKE_WORKERS": text})

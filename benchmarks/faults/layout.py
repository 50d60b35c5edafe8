"""Who is in the federation of the fault run, and which ports it uses. Pure."""

from dataclasses import replace
from typing import Final

from benchmarks.faults.plan import CENTRES
from console.demo.plan import Centre, Plan, make_plan

#: Ports from the base on: four blocks of ten for the centres, then one proxy for each centre.
PROXIES: Final = 40
PORTS: Final = 50
_TOWNS: Final = 2
_EACH: Final = 2


def make(port_base: int) -> Plan:
    """Return an umbrella and two centres with two municipalities each."""
    demo = make_plan(port_base)
    chosen = [centre for centre in demo.centres if centre.name in CENTRES]
    return replace(demo, centres=tuple(replace(each, towns=each.towns[:_TOWNS]) for each in chosen))


def proxy_port(centre: str, port_base: int) -> int:
    """Return the port where the others find a centre."""
    return port_base + PROXIES + CENTRES.index(centre)


def settings(centre: Centre, port_base: int) -> dict[str, str]:
    """Return what a centre's settings have beyond those of the demo."""
    return {
        "AMTSBRUECKE_GATEWAY_ENDPOINT": f"127.0.0.1:{proxy_port(centre.name, port_base)}",
        "AMTSBRUECKE_GATEWAYS": str(_EACH),
        "AMTSBRUECKE_DISPATCHERS": str(_EACH),
        "AMTSBRUECKE_WORKERS": str(_EACH),
        "AMTSBRUECKE_WEBS": str(_EACH),
    }

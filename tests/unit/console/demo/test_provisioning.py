from pathlib import Path

from centre.kernel import clock
from centre.keys import pki
from console.demo.plan import make_plan
from console.demo.provisioning import certify
from console.home import Home


def test_a_demo_that_was_away_for_long_comes_back_with_a_good_certificate(tmp_path: Path) -> None:
    home, centre = Home(tmp_path), make_plan(9000).centres[0]
    folder = home.centre(centre.name)

    def certified() -> pki.Certificate:
        certify(home, folder, centre)
        return pki.describe((folder.tls / "centre.pem").read_bytes())

    first = certified()
    with clock.frozen(clock.in_future(days=50)):
        assert certified() == first
    with clock.frozen(clock.in_future(days=70)):
        renewed = certified()
        assert renewed.not_after > clock.in_future(days=80)
    assert (renewed.uris, renewed.names) == (first.uris, first.names)

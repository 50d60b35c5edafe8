"""Centres that stand in the directory: sixteen that deliver by calls, one that is gone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import unary
from benchmarks.peers import public_key
from benchmarks.world import ROOT, World
from centre.directory.records import AuthorityRecord, CentreRecord
from centre.kernel.ids import new_id
from centre.keys import pki
from centre.keys.sign import SigningKey

#: A centre in the directory where nobody answers.
GONE = "fort"


class SmallCentres:
    """All of them, with their keys."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        home.chmod(0o711)
        self._pki = home / "small"
        pki.create_authority(home / "pki")
        self._keys = [SigningKey.generate() for _ in range(unary.CENTRES)]
        self.authorities = tuple(
            AuthorityRecord(
                id=new_id(),
                name=f"Stadt {unary.name(number)}",
                home_centre=unary.name(number),
                keys=(public_key(key),),
            )
            for number, key in enumerate(self._keys)
        )
        self.centres = (
            *(self._centre(home, number) for number in range(unary.CENTRES)),
            CentreRecord(id=GONE, name=GONE, endpoint="127.0.0.1:9"),
        )

    def _centre(self, home: Path, number: int) -> CentreRecord:
        name = unary.name(number)
        pki.issue(home / "pki", name, self._pki / name)
        certificate = (self._pki / name / "centre.pem").read_bytes()
        return CentreRecord(
            id=name, name=name, endpoint="127.0.0.1:9", fingerprints=(pki.fingerprint(certificate),)
        )

    def deliver(self, world: World, *, seconds: float = 4.0) -> dict[str, float]:
        """Let all sixteen deliver to nord for a while."""
        keys = world.nord.step("keys", authority=world.nord.authorities[0])
        said: dict[str, Any] = {
            "pki": str(self._pki),
            "authorities": [str(each.id) for each in self.authorities],
            "keys": [key.to_bytes().hex() for key in self._keys],
            "recipient": world.nord.authorities[0],
            "endpoint": world.nord.folder.settings()["AMTSBRUECKE_GATEWAY_BIND"],
            "receiver": "nord",
            "url": world.krz.url("owner"),
            "version": 1,
            "size": 3_500,
            "seconds": seconds,
            **keys,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.unary", json.dumps(said)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        return {"per_s": found["count"] / found["seconds"]}

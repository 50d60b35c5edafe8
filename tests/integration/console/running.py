"""A centre that runs, as its operator, a probe and Prometheus see it from outside."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from console.demo.plan import Centre
from console.home import CentreFolder, Home
from console.supervisor import control
from console.supervisor.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[3]
TOWNS = ("minden", "bad-oeynhausen")


def eventually[T](look: Callable[[], T], *, what: str, within: float = 60) -> T:
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Message


def ask(
    port: int,
    path: str,
    form: dict[str, str] | None = None,
    *,
    source: str = "127.0.0.1",
    **headers: str,
) -> Answer:
    """Ask a port of this computer, by POST if there is a form."""
    with closing(
        HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    ) as connection:
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, urlencode(form), {**headers, **kind})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(), answer.headers)


@dataclass(frozen=True)
class Running:
    """The centre, as its operator, a probe and Prometheus see it."""

    home: Home
    centre: Centre
    supervisor: Supervisor

    @property
    def folder(self) -> CentreFolder:
        return self.home.centre(self.centre.name)

    def ask(
        self, port: int, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        """Ask one of the centre's ports, by POST if there is a form."""
        return ask(port, path, form, **headers)

    def get(self, port: int, path: str) -> tuple[int, str]:
        answer = self.ask(port, path)
        return answer.status, answer.text

    def figure(self, port: int, name: str, **labels: str) -> float:
        """Return the sum of a figure's samples that carry these labels."""
        status, text = self.get(port, "/metrics")
        assert status == 200
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if re.match(rf"{name}[{{ ]", line) and all(each in line for each in wanted)
        ]
        return sum(found) if found else -1.0

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        url = self.folder.settings()["AMTSBRUECKE_OWNER_DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def command(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run `amtsbruecke --centre … ARGUMENTS` as the operator does."""
        done = subprocess.run(
            [sys.executable, "-m", "console", "--centre", self.centre.name, *arguments],
            env={**self.folder.environment(), **variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def program(self, program: str, *arguments: str) -> Any:
        """Run lines of Python as one of the centre's processes; return the JSON that they print."""
        path = ":".join(map(str, (ROOT, ROOT / "platform", ROOT / "proto/gen")))
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**self.folder.environment(), "PYTHONPATH": path},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def send(self, count: int = 1) -> list[str]:
        """Let the first town send requests to the second; return the messages' ids."""
        program = (
            "import json, sys\n"
            "from console.roles import become\n"
            "become('web')\n"
            "from centre.kernel.actors import system\n"
            "from centre.registry import selectors\n"
            "from centre.tenancy.context import tenant_scope\n"
            "from tenants.cases import services\n"
            "from tenants.cases.models import CaseMessage\n"
            "from tests.factories.requests import request\n"
            "to = selectors.municipality(slug=sys.argv[2]).authority_id\n"
            "with tenant_scope(selectors.municipality(slug=sys.argv[1])):\n"
            "    drafts = [request(to=to) for _ in range(int(sys.argv[3]))]\n"
            "    sent = services.submit_requests(drafts=drafts, by=system('tests'))\n"
            "    ids = CaseMessage.objects.order_by('-id').values_list('id', flat=True)\n"
            "    print(json.dumps([str(each) for each in ids[: len(drafts)]]))\n"
        )
        ids: list[str] = self.program(program, *TOWNS, str(count))
        return ids

    def applied(self, ids: Sequence[str]) -> bool:
        rows = self.execute("SELECT id::text FROM inbox_inboundmessage WHERE state = 'applied'")
        return set(ids) <= {row[0] for row in rows}

    def pids(self) -> dict[str, int]:
        """Return the processes of the centre and of its engines, by their services."""
        (centre,) = [
            each
            for each in control.ask(self.home, "status")["centres"]
            if each["centre"] == self.centre.name
        ]
        return {each["name"]: int(each["pid"] or 0) for each in centre["services"]}

    def pid(self, service: str) -> int:
        return self.pids()[service]

    def log(self, *names: str) -> str:
        """Return what these processes have said; without names, all and the engines too."""
        files = [self.folder.logs / f"{name}.log" for name in names]
        files = files or [file for file in self.home.path.rglob("*.log*") if file.is_file()]
        return "\n".join(file.read_text() for file in files if file.exists())

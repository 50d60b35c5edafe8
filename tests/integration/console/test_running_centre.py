"""A centre with all its real processes: their health, their figures, and what they never log.

Its two towns write to each other over the loopback link, the same road as to everybody else.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.conninfo import make_conninfo

from benchmarks import resources
from centre.kernel.ids import new_id
from centre.keys.blobs import CHUNK_SIZE, SEALED_CHUNK_SIZE
from console import processes
from console.demo import plan as demo
from console.demo.plan import CASEWORKER, PASSWORD, Plan, make_plan
from console.demo.provisioning import Provisioning
from console.demo.traffic import await_ready, fetch_directory
from console.engines import EMBEDDED
from console.home import Home
from console.supervisor.output import Output
from console.supervisor.supervisor import Supervisor
from tests.factories.damage import overwrite
from tests.integration.console.running import ROOT, TOWNS, Answer, Running, ask, eventually

pytestmark = pytest.mark.slow

CANARY = "Kanarienvogel-4711"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = Home(tmp_path_factory.mktemp("home"))
    whole = make_plan(21_800)
    chosen = tuple(town for town in demo.towns() if town.slug in TOWNS)
    assert {town.slug for town in chosen} == set(TOWNS)
    centre = replace(whole.centres[0], towns=chosen)
    plan = Plan(umbrella=whole.umbrella, centres=(centre,))
    version = Provisioning(home=home, plan=plan, report=lambda _: None).run()
    if broker := os.environ.get("AMTSBRUECKE_TEST_BROKER"):
        folder = home.centre(centre.name)
        named = {EMBEDDED: "postgres", "AMTSBRUECKE_BROKER_URL": broker}
        folder.write_settings({**folder.settings(), **named})
    with Supervisor(home, output=Output(None)) as supervisor:
        supervisor.start([home.centre(each.name) for each in plan.all])
        await_ready(home, plan, lambda seconds: bool(time.sleep(seconds)))
        fetch_directory(home, plan, version)
        yield Running(home, centre, supervisor)


def test_a_request_crosses(running: Running) -> None:
    ids = running.send(3)
    eventually(lambda: running.applied(ids), what="the requests to be applied")


def test_evidence_of_a_request_that_crossed_proves_everything(
    running: Running, tmp_path: Path
) -> None:
    (request,) = running.send()
    ((case,),) = running.execute(f"SELECT case_id FROM outbox_letter WHERE id = '{request}'")
    receipted = (
        "SELECT count(*) FROM outbox_letter AS letter JOIN outbox_link AS link"
        f" ON link.name = letter.link WHERE case_id = '{case}' AND lseq BETWEEN 1 AND acked_lseq"
    )
    eventually(
        lambda: running.execute(receipted)[0][0] == 2,
        what="receipts of the request and its registration",
    )
    ((reference,),) = running.execute(
        f"SELECT reference FROM m_{TOWNS[0]}.cases_case WHERE id = '{case}'"
    )
    file = tmp_path / "nachweis.zip"
    running.command("evidence", "export", reference, "--tenant", TOWNS[0], "--into", str(file))
    keys = running.folder.settings()["AMTSBRUECKE_UMBRELLA_KEYS"].split()
    options = [word for key in keys for word in ("--umbrella-key", key)]
    said = running.command("evidence", "verify", str(file), *options)
    assert f"case {reference} ({case})" in said
    assert len(re.findall("delivered .*; .*content proven", said)) == 2
    assert "Alles bewiesen / everything proven" in said


SING = f"""
CREATE OR REPLACE FUNCTION public.sing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'invalid input: {CANARY}' USING ERRCODE = 'invalid_text_representation',
DETAIL = 'Key (name)=({CANARY}) already exists.', HINT = '{CANARY}';
END $$
"""


@contextmanager
def singing(running: Running, table: str, what: str) -> Iterator[None]:
    """Let each write to a table fail with an error that quotes content, as PostgreSQL does."""
    running.execute(SING)
    running.execute(
        f"CREATE TRIGGER sing BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION public.sing()"
    )
    try:
        yield
    finally:
        running.execute(f"DROP TRIGGER sing ON {table}")


@pytest.mark.parametrize(
    ("service", "table", "what"),
    [
        ("gateway", "inbox_inboundmessage", "INSERT"),
        ("dispatch", "outbox_letter", "UPDATE"),
        ("worker", "m_bad_oeynhausen.cases_caseevent", "INSERT"),  # a handler fails
        ("worker", "outbox_outcomeposition", "INSERT OR UPDATE"),  # a task fails
    ],
)
def test_no_log_quotes_a_row(running: Running, service: str, table: str, what: str) -> None:
    before = running.log(service).count(": 22P02")
    with singing(running, table, what):
        ids = running.send()
        eventually(
            lambda: running.log(service).count(": 22P02") > before,
            what=f"the {service}'s complaint",
        )
    assert CANARY not in running.log()
    running.command("link", "retry", running.centre.name)

    def arrived() -> bool:
        # A letter that breaks every call is set aside as poison: then an operator sends it again.
        for dead in running.execute("SELECT message_id FROM outbox_deadletter WHERE resolution=''"):
            running.command("deadletter", "resend", str(dead[0]))
        return running.applied(ids)

    eventually(arrived, what="nothing to be lost")


def test_no_log_quotes_what_a_clerk_wrote(running: Running) -> None:
    port, host = running.centre.ports.web, f"{TOWNS[0]}.{running.centre.domain}"
    page = running.ask(port, "/anmelden/", Host=host)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token is not None
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    form = {"csrfmiddlewaretoken": token[1], "login": CASEWORKER, "password": PASSWORD}
    with singing(running, f"m_{TOWNS[0]}.django_session", "INSERT OR UPDATE"):
        answer = running.ask(port, f"/anmelden/?q={CANARY}", form, Host=host, Cookie=cookie)
        assert (answer.status, CANARY in answer.text) == (500, False)
    eventually(lambda: ": 22P02" in running.log("web"), what="the web's complaint")
    assert CANARY not in running.log()


# -- behind a reverse proxy ------------------------------------------------------------------

PROXY = "127.0.0.9"


@pytest.fixture
def proxied(running: Running, free_port: int, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A web process as in earnest, at all addresses, that believes one proxy; and its log."""
    variables = {
        **running.folder.environment(),
        "AMTSBRUECKE_WEB_BIND": f"[::]:{free_port}",
        "AMTSBRUECKE_WEB_SECURE": "1",
        "AMTSBRUECKE_WEB_PROXIES": PROXY,
        "AMTSBRUECKE_METRICS_BIND_WEB": "",
    }
    log = tmp_path / "web.log"
    with log.open("wb") as output:
        web = subprocess.Popen(
            [sys.executable, "-m", "console", "web"], env=variables, cwd=ROOT, stderr=output
        )
    try:

        def lives() -> bool:
            try:
                return ask(free_port, "/healthz").status == 200
            except ConnectionError:
                assert web.poll() is None, log.read_text()
                return False

        eventually(lives, what="the pages")
        yield free_port, log
    finally:
        web.terminate()
        web.wait(timeout=30)


def sign_in(running: Running, port: int, source: str, **headers: str) -> Answer:
    """Sign a clerk in as a browser does that speaks HTTPS to the proxy."""
    given = {"Host": f"{TOWNS[0]}.{running.centre.domain}", **headers}
    page = ask(port, "/anmelden/", source=source, **given)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token is not None
    form = {"csrfmiddlewaretoken": token[1], "login": CASEWORKER, "password": PASSWORD}
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    return ask(port, "/anmelden/", form, source=source, Cookie=cookie, **given)


def test_a_proxy_on_another_host_is_believed_and_nobody_else(
    running: Running, proxied: tuple[int, Path]
) -> None:
    port, log = proxied
    origin = {"Origin": f"https://{TOWNS[0]}.{running.centre.domain}"}
    https = {**origin, "X-Forwarded-Proto": "https"}
    assert sign_in(running, port, PROXY, **https).status == 302
    assert "form refused" not in log.read_text()
    assert sign_in(running, port, "127.0.0.1", **https).status == 403
    assert "AMTSBRUECKE_WEB_PROXIES does not name this peer" in log.read_text()
    assert sign_in(running, port, PROXY, **origin).status == 403
    assert "the header X-Forwarded-Proto: https is missing" in log.read_text()
    assert f"peer=::ffff:{PROXY}" in log.read_text()


ATTACH = """
import json, sys
from console.roles import become
become('web')
from centre.kernel.actors import system
from centre.registry import selectors
from centre.tenancy.context import tenant_scope
from federation.blobs import stores
from federation.blobs.models import Blob
from tenants.cases.models import Case
from tenants.documents import services
with tenant_scope(selectors.municipality(slug=sys.argv[1])):
    case = Case.objects.order_by('-id')[0]
    document = services.attach(
        case_id=case.id, reference=case.reference, name='a.pdf', by=system('tests'),
        chunks=[b'%PDF-1.7'.ljust(int(sys.argv[2]), b'.')],
    )
    blob = Blob.objects.get(digest=document.digest)
    path = stores.need_folder().path(blob.tenant_role, blob.id)
print(json.dumps([str(document.id), str(path)]))
"""


def test_a_document_that_turns_out_to_be_changed_breaks_off(running: Running) -> None:
    running.send()
    document, path = running.program(ATTACH, TOWNS[0], str(3 * CHUNK_SIZE))
    port, host = running.centre.ports.web, f"{TOWNS[0]}.{running.centre.domain}"
    cookies = sign_in(running, port, "127.0.0.1").headers.get_all("Set-Cookie") or []
    headers = {"Host": host, "Cookie": "; ".join(each.partition(";")[0] for each in cookies)}
    whole = ask(port, f"/anlage/{document}/", **headers)
    assert (whole.status, len(whole.text)) == (200, 3 * CHUNK_SIZE)
    overwrite(Path(path), at=2 * SEALED_CHUNK_SIZE + 100)
    with pytest.raises(IncompleteRead) as broken:
        ask(port, f"/anlage/{document}/", **headers)
    assert len(broken.value.partial) == 2 * CHUNK_SIZE
    (told,) = eventually(
        lambda: re.findall("document cannot be read.*\n", running.log("web")), what="the complaint"
    )
    role, blob = Path(path).parts[-2:]
    assert f"tenant_role={role}" in told
    assert f"blob={blob}" in told


def test_workers_do_not_complain_about_root(running: Running) -> None:
    assert "SecurityWarning" not in running.log("worker", "beat")


# -- health ----------------------------------------------------------------------------------


def doors(running: Running) -> dict[str, int]:
    ports = running.centre.ports
    return {
        "web": ports.metrics_web,
        "gateway": ports.metrics_gateway,
        "dispatch": ports.metrics_dispatch,
        "worker": ports.metrics_worker,
        "pages": ports.web,
    }


def test_every_process_says_that_it_lives_and_can_work(running: Running) -> None:
    for name, port in doors(running).items():
        assert running.get(port, "/healthz") == (200, "alive\n"), name
        eventually(lambda: running.get(port, "/readyz") == (200, "ready\n"), what=name)  # noqa: B023


def test_a_process_without_database_lives_and_is_not_ready(running: Running) -> None:
    (runner,) = [each for each in running.supervisor.centres if each.name == running.centre.name]
    (database,) = [each for each in runner.services if each.name == "postgresql"]
    database.stop()
    for name, port in doors(running).items():
        wanted = (503, "no database\n")
        eventually(lambda: running.get(port, "/readyz") == wanted, what=name)  # noqa: B023
        assert running.get(port, "/healthz")[0] == 200, name
    assert running.figure(doors(running)["worker"], "amtsbruecke_database_up") == 0
    database.start()
    for name, port in doors(running).items():
        eventually(lambda: running.get(port, "/readyz")[0] == 200, what=name)  # noqa: B023
    ids = running.send()
    running.command("link", "retry", running.centre.name)
    eventually(lambda: running.applied(ids), what="a request after the pause")


SERVED = (
    "",
    "amtsbruecke.exchange.v1beta1.LinkService",
    "amtsbruecke.exchange.v1beta1.BlobService",
    "amtsbruecke.directory.v1beta1.DirectoryService",
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def health_of(running: Running) -> Iterator[health_pb2_grpc.HealthStub]:
    """Yield the gateway's standard health service, as a peer reaches it."""
    tls = running.folder.tls
    credentials = grpc.ssl_channel_credentials(
        *((tls / name).read_bytes() for name in ("ca.pem", "centre.key", "centre.pem"))
    )
    server = f"{running.centre.name}.centre.amtsbruecke.internal"
    with grpc.secure_channel(
        f"127.0.0.1:{running.centre.ports.gateway}",
        credentials,
        options=[("grpc.ssl_target_name_override", server)],
    ) as channel:
        yield health_pb2_grpc.HealthStub(channel)


def test_a_centre_keeps_within_its_memory(running: Running) -> None:
    """As PSS, children included; with fifty towns it is measured by `make bench`."""
    running.send(3)
    mib = {name: resources.pss_mib(pid) for name, pid in running.pids().items()}
    assert {"postgresql", "gateway", "dispatch", "worker", "beat", "web"} <= mib.keys()
    assert all(mib.values())
    assert mib["gateway"] <= 150, mib
    assert sum(mib.values()) <= 1024, mib


def test_the_gateway_has_the_standard_health_service(running: Running) -> None:
    with health_of(running) as health:
        for service in SERVED:
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == SERVING


def test_a_gateway_that_is_told_to_stop_says_so_before_it_closes(running: Running) -> None:
    starts = running.log("gateway").count("gateway started")
    with health_of(running) as health:
        told = [
            health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=30)
            for service in SERVED
        ]
        assert [next(each).status for each in told] == [SERVING] * len(SERVED)
        os.kill(running.pid("gateway"), signal.SIGTERM)
        assert [next(each).status for each in told] == [NOT_SERVING] * len(SERVED)
        for each in told:
            each.cancel()  # else the gateway waits for them
    eventually(
        lambda: running.log("gateway").count("gateway started") > starts, what="the next gateway"
    )
    ids = running.send()
    running.command("link", "retry", running.centre.name)
    eventually(lambda: running.applied(ids), what="a request through the next gateway")


@pytest.mark.parametrize(
    ("process", "login"),
    [
        ("web", "web"),
        ("worker", "worker"),
        ("beat", "worker"),
        ("gateway", "federation"),
        ("dispatch", "federation"),
    ],
)
def test_no_process_starts_with_a_login_that_sees_all_rows(
    running: Running, process: str, login: str
) -> None:
    known = running.folder.settings()["AMTSBRUECKE_OWNER_DATABASE_URL"]
    secret = (running.folder.postgres / "admin.secret").read_text()
    admin = make_conninfo(known, user="postgres", password=secret)
    variable = f"AMTSBRUECKE_{login.upper()}_DATABASE_URL"
    said = running.command(process, code=2, **{variable: admin})
    assert "may bypass row-level security" in said
    assert secret not in said


# -- as the operator sees it -----------------------------------------------------------------


def test_status_names_each_process_by_the_pid_that_works(running: Running) -> None:
    said = running.command("centre", "status")
    parts = re.findall(r"^(\S+): runs\n((?:  .+\n)+)", said, re.MULTILINE)
    assert "".join(f"{name}: runs\n{lines}" for name, lines in parts) == said
    lines = dict(parts)[running.centre.name].splitlines()
    names = ["postgresql", "valkey", "gateway", "dispatch", "worker", "beat", "web"]
    assert [line.split()[0] for line in lines] == names
    for line in lines:
        found = re.match(r"  \S+ +running +pid (\d+)", line)
        assert found is not None, line
        assert processes.exists(int(found[1])), line


def test_the_directory_in_force_is_shown(running: Running) -> None:
    """An umbrella's version, fetched over the link, with our towns."""
    said = running.command("directory", "show", "--authorities")
    assert re.match(r"Version \d+, published [-\d]+ [:\d]+ UTC, ", said)
    assert re.search(rf"^  {running.centre.name} +active +127\.0\.0\.1:\d+ ", said, re.MULTILINE)
    assert re.search(r"^Digest [0-9a-f]{64}, fresh$", said, re.MULTILINE)
    for slug in TOWNS:
        statement = (
            f"SELECT authority_id::text, name FROM registry_municipality WHERE slug='{slug}'"
        )
        ((authority, name),) = running.execute(statement)
        assert re.search(rf"^  {authority} {running.centre.name} .* {name}$", said, re.MULTILINE)


# -- figures ---------------------------------------------------------------------------------


@contextmanager
def paused(running: Running) -> Iterator[None]:
    """Pause the centre's link once nothing is under way, so that what waits is what we send."""
    link = running.centre.name
    under_way = (
        "SELECT (SELECT count(*) FROM inbox_inboundmessage WHERE state = 'pending')"
        " + (SELECT count(*) FROM outbox_letter AS letter JOIN outbox_link AS link"
        "    ON link.name = letter.link WHERE lseq IS NULL OR lseq > acked_lseq)"
    )
    eventually(lambda: running.execute(under_way)[0][0] == 0, what="an idle link")
    running.command("link", "pause", link)
    try:
        yield
    finally:
        running.command("link", "resume", link)


def test_figures_of_each_link(running: Running) -> None:
    link, ports = running.centre.name, running.centre.ports
    gateway, dispatch = ports.metrics_gateway, ports.metrics_dispatch
    stored = running.figure(gateway, "amtsbruecke_gateway_messages_total", link=link)
    with paused(running):
        ids = running.send(4)
        eventually(
            lambda: running.figure(dispatch, "amtsbruecke_dispatch_backlog", link=link) == 4,
            what="the backlog to be counted",
        )
        assert running.figure(dispatch, "amtsbruecke_dispatch_oldest_seconds", link=link) > 0
    eventually(lambda: running.applied(ids), what="the requests to be applied")
    eventually(
        lambda: running.figure(dispatch, "amtsbruecke_dispatch_backlog", link=link) == 0,
        what="the backlog to be empty",
    )
    after = running.figure(gateway, "amtsbruecke_gateway_messages_total", link=link)
    assert after >= max(stored, 0) + 8  # four requests and the four registrations
    batches = running.figure(gateway, "amtsbruecke_gateway_batch_size_count", link=link)
    messages = running.figure(gateway, "amtsbruecke_gateway_batch_size_sum", link=link)
    assert messages >= batches > 0  # their quotient is the mean batch
    for name in ("duplicates", "refusals"):
        assert (
            f"# TYPE amtsbruecke_gateway_{name}_total counter"
            in running.get(gateway, "/metrics")[1]
        )


def test_figures_of_what_waits_for_a_person(running: Running) -> None:
    worker = running.centre.ports.metrics_worker
    for name in ("amtsbruecke_dead_letters", "amtsbruecke_outcome_debts"):
        assert running.figure(worker, name) == 0
    for state in ("pending", "held", "parked"):
        assert running.figure(worker, "amtsbruecke_inbox_messages", state=state) == 0


def test_figures_of_the_pages(running: Running) -> None:
    port, host = running.centre.ports.web, f"{TOWNS[0]}.{running.centre.domain}"
    eventually(lambda: running.ask(port, "/anmelden/", Host=host).status == 200, what="a page")
    name = "amtsbruecke_web_requests_total"
    assert running.figure(running.centre.ports.metrics_web, name, method="GET", status="200") >= 1


def test_the_doctor_finds_nothing(running: Running) -> None:
    said = running.command("doctor")
    assert "problem " not in said
    assert "no message waits for a person" in said or "alarm list" in said
    assert "PostgreSQL's log holds no statements" in said


# -- what operators decide -------------------------------------------------------------------


def town_role(running: Running, slug: str) -> str:
    statement = f"SELECT tenant_role FROM registry_municipality WHERE slug = '{slug}'"
    return str(running.execute(statement)[0][0])


def test_a_parked_message_is_listed_retried_and_discarded(running: Running) -> None:
    message = str(new_id())
    running.execute(
        "INSERT INTO inbox_inboundmessage (id, origin, tenant_role, link, sender, case_id,"
        " case_sequence, kind, envelope, digest, received_at, state, due_at, reason, detail)"
        f" VALUES ('{message}', 'nord', '{town_role(running, TOWNS[1])}', 'nord', '{new_id()}',"
        f" '{new_id()}', 1, 'query', '{CANARY}', '', now(), 'parked', now(), 'TEST', 'as a test')"
    )
    listed = running.command("inbox", "list")
    assert f"{TOWNS[1]} " in listed
    assert f"{message} nord query parked TEST: as a test" in listed
    listed = f"amtsbruecke --centre {running.centre.name} inbox list"
    assert f"1 message waits for a decision: {listed}" in running.command("doctor")
    worker = running.centre.ports.metrics_worker
    assert running.figure(worker, "amtsbruecke_inbox_messages", state="parked") == 1
    shown = running.command("inbox", "show", message)
    assert "case sequence  1" in shown
    assert CANARY not in listed + shown
    running.command("inbox", "retry", message)
    state = f"SELECT state, reason FROM inbox_inboundmessage WHERE id = '{message}'"
    eventually(  # it cannot be read, and so it is parked again for its own reason
        lambda: running.execute(state)[0] not in {("parked", "TEST"), ("pending", "")},
        what="the second try",
    )
    assert running.execute(state)[0][0] == "parked"
    refused = running.command("inbox", "discard", message, "--reason", " ", code=2)
    assert "The reason is empty" in refused
    running.command("inbox", "discard", message, "--reason", "a test", "--yes")
    assert running.execute(state)[0][0] == "discarded"
    assert "does not wait for a decision" in running.command("inbox", "retry", message, code=2)
    assert "No message" in running.command("inbox", "show", str(new_id()), code=2)


def test_a_dead_letter_is_cancelled_in_the_name_of_its_municipality(running: Running) -> None:
    with paused(running):
        (letter,) = running.send()
        running.execute(f"UPDATE outbox_letter SET lseq = 0 WHERE id = '{letter}'")
        running.execute(
            "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id, kind,"
            f" state, reason, died_at) SELECT '{new_id()}', id, tenant_role, link, case_id, kind,"
            f" 'refused', 'TEST', now() FROM outbox_letter WHERE id = '{letter}'"
        )
        assert letter in running.command("deadletter", "list", "--tenant", TOWNS[0])
        assert letter not in running.command("deadletter", "list", "--tenant", TOWNS[1])
        running.command("deadletter", "cancel", letter, "--yes")
    void = (
        "SELECT void.id::text FROM outbox_letter AS void JOIN outbox_letter AS letter"
        f" USING (case_id) WHERE letter.id = '{letter}' AND void.kind = 'void'"
    )
    ((sent,),) = running.execute(void)
    eventually(lambda: running.applied([sent]), what="the void to take the letter's place")
    assert "not dead" in running.command("deadletter", "cancel", letter, "--yes", code=2)
    assert "cancelled by" in running.command("deadletter", "list", "--all")


def test_alarms_are_listed_with_what_to_do_and_acknowledged(running: Running) -> None:
    alarm = str(new_id())
    running.execute(
        "INSERT INTO outbox_alarm (id, code, link, tenant_role, detail, raised_at)"
        f" VALUES ('{alarm}', 'SEQUENCE_REWIND', 'nord', NULL, 'as a test', now())"
    )
    listed = running.command("alarm", "list")
    assert f"{alarm} SEQUENCE_REWIND nord as a test" in listed
    assert "restored to an earlier moment" in listed
    assert re.search(r"(1 alarm is|\d+ alarms are) open", running.command("doctor"))
    running.command("alarm", "acknowledge", alarm)
    assert alarm not in running.command("alarm", "list")
    assert "(seen by " in running.command("alarm", "list", "--all")
    assert "no open alarm" in running.command("alarm", "acknowledge", alarm, code=2)
    running.command("alarm", "acknowledge", "--all")
    assert "There are no open alarms" in running.command("alarm", "list")

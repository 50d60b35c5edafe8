"""Clerks at their browsers: signed in once, then one page after the other."""

import re
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Self
from urllib.parse import urlencode

from console.demo.plan import CASEWORKER, PASSWORD, Centre, Town

_COOKIES = re.compile(r"(\w+=[^;]+);")


class Clerk:
    """One clerk in a thread, from entering the block to leaving it."""

    def __init__(self, centre: Centre, town: Town) -> None:
        self._port = centre.ports.web
        self._host = f"{town.slug}.{centre.domain}"
        self._cookie = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.pages = 0
        self.slowest = 0.0
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self._sign_in()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sign_in(self) -> None:
        status, cookies, text = self._ask("GET", "/anmelden/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
        assert status == 200, text
        assert token is not None
        self._cookie = cookies
        form = {"csrfmiddlewaretoken": token[1], "login": CASEWORKER, "password": PASSWORD}
        status, cookies, text = self._ask("POST", "/anmelden/", form)
        assert status == 302, text
        self._cookie = cookies

    def _work(self) -> None:
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                status, _, _ = self._ask("GET", "/")
            except (OSError, HTTPException) as problem:
                self.errors.append(repr(problem))
                continue
            self.pages += 1
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if status != 200:
                self.errors.append(f"status {status}")
            self._stop.wait(0.25)

    def _ask(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Ask on a connection of its own, as a load balancer does; return status, cookies, text."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Host": self._host, "Cookie": self._cookie}
            if form is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            set_cookies = answer.headers.get_all("Set-Cookie") or []
            cookies = "; ".join(
                found[1] for each in set_cookies if (found := _COOKIES.match(each + ";"))
            )
            return answer.status, cookies, answer.read().decode()
        finally:
            connection.close()

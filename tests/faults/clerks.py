"""Clerks at their browsers: signed in once, then one page after the other.

They read their list, send a request that lies ready, accept one that has come, and so on.
"""

import html
import re
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Self
from urllib.parse import urlencode

from console.demo.plan import CASEWORKER, PASSWORD, Centre, Town

_FIELDS = re.compile(r'name="([\w-]+)" value="([^"]*)"')
_CHOICES = re.compile(r'type="checkbox" name="case" value="([\w-]+)"')
#: The last digits of the cases on which the driver works: nobody else does.
_OF_THE_DRIVER = frozenset("0123")
_COOKIES = re.compile(r"(\w+=[^;]+);")


class Clerk:
    """One clerk in a thread, from entering the block to leaving it."""

    def __init__(self, centre: Centre, town: Town, *, drafts: Sequence[str]) -> None:
        self._port = centre.ports.web
        self._host = f"{town.slug}.{centre.domain}"
        self._cookie = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._drafts = list(drafts)
        #: What pages have said to be done, as lines of a journal.
        self.promises: list[str] = []
        self._accepted: set[str] = set()
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

    @property
    def sent(self) -> int:
        return len(self.promises) - self.accepted

    @property
    def accepted(self) -> int:
        return len(self._accepted)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._accept(self._page("GET", "/"))
                if self._drafts:
                    self._send(self._drafts.pop())
            except (OSError, HTTPException, AssertionError) as problem:
                self.errors.append(repr(problem))
            self._stop.wait(0.25)

    def _send(self, case: str) -> None:
        fields = self._fields(self._page("GET", f"/ersuchen/{case}/pruefen/"))
        where = self._page("POST", f"/ersuchen/{case}/senden/", fields, status=302)
        assert where == f"/vorgang/{case}/", where
        self.promises.append(f"{case} assistance_request submitted")

    def _accept(self, worklist: str) -> None:
        """Accept one of the cases that may be chosen in the list."""
        found = [each for each in _CHOICES.findall(worklist) if each[-1] not in _OF_THE_DRIVER]
        case = next((each for each in found if each not in self._accepted), None)
        if case is None:
            return
        fields = self._fields(self._page("GET", f"/annehmen/?case={case}"))
        said = self._page("POST", "/annehmen/", fields)
        assert "1 Ersuchen ist angenommen" in said, said
        self._accepted.add(case)
        self.promises.append(f"{case} acceptance accepted")

    def _fields(self, page: str) -> dict[str, str]:
        return {name: html.unescape(value) for name, value in _FIELDS.findall(page)}

    def _page(
        self, method: str, path: str, form: dict[str, str] | None = None, *, status: int = 200
    ) -> str:
        """Return a page, or the place that it leads to; count it and its time."""
        begin = time.monotonic()
        found, _, text = self._ask(method, path, form)
        self.pages += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)
        assert found == status, f"{method} {path}: {found}"
        return text

    def _ask(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Ask on a connection of its own, as a load balancer does; return status, cookies, text.

        Of a page that only leads elsewhere, the place is returned.
        """
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
            text = answer.read().decode()
            return answer.status, cookies, answer.headers.get("Location") or text
        finally:
            connection.close()

"""A real browser on real pages: Chromium, a threaded server, committed data.

Without Chromium these tests skip and say how to get it; with CI set they fail instead.
`BROWSER_SHOTS=folder` keeps a picture of every page that a test looked at, wide and narrow.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils.functional import empty
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser import scenes
from tests.factories.clerks import PASSWORD
from tests.integration.tenants.cases.conftest import a, b, c, known, post

__all__ = ["a", "b", "c", "known", "post"]

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 780}
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = _chromium()
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("Chromium is missing: apt-get install chromium, or name it in CHROMIUM")
    # Playwright keeps an event loop in this thread, in which no statement of ours ever runs; other
    # files have loops of their own, so it ends with the file. Beside a loop Django keeps other
    # connections: those of the tests before are out of sight until then, and end now.
    connections.close_all()
    patch = pytest.MonkeyPatch()
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield found
        found.close()
    patch.undo()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


@pytest.fixture(scope="session")
def _assets() -> None:
    """Collect the static files as in production, with digests in their names."""
    vendor = Path("tenants/web/static/vendor/kern/kern.min.css")
    if not (Path(__file__).resolve().parents[2] / vendor).exists():
        pytest.fail("The front-end parts are missing: make setup")
    call_command("collectstatic", interactive=False, verbosity=0)
    staticfiles_storage._wrapped = empty


@pytest.fixture
def server(committed_db: None, _assets: None) -> Iterator[int]:
    """Serve the pages; the value is the port."""
    httpd = _Server(("127.0.0.1", 0), _Quiet)
    httpd.set_app(get_wsgi_application())
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield httpd.server_address[1]
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@dataclass
class Desk:
    """A browser window of one clerk."""

    page: Page
    base: str

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def sign_in(self, login: str = "k.kranich", password: str = PASSWORD) -> None:
        self.go("/anmelden/")
        self.page.get_by_label("Benutzername").fill(login)
        self.page.get_by_label("Kennwort").fill(password)
        self.page.get_by_role("button", name="Anmelden").click()
        self.page.wait_for_load_state()

    def look(self, name: str) -> None:
        """Assert that the page is accessible and fits, wide and narrow, light and dark."""
        # A click returns when the next page has begun: for a moment it has no content at all.
        self.page.locator("main").wait_for()
        self.page.wait_for_load_state()
        for label, size in (("1280", WIDE), ("360", NARROW)):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            self._fits(f"{name} at {label}")
            if folder := os.environ.get("BROWSER_SHOTS"):
                Path(folder).mkdir(parents=True, exist_ok=True)
                self.page.screenshot(path=f"{folder}/{name}-{label}.png", full_page=True)
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            options = {"runOnly": {"type": "tag", "values": _RULES}}
            found = Axe().run(self.page, options=options)
            assert not found.response["violations"], f"{name} {scheme}: {found.generate_report()}"

    def _fits(self, where: str) -> None:
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{where}: {wide} pixels too wide"


type Window = Callable[..., Desk]


@pytest.fixture
def window(browser: Browser, server: int) -> Iterator[Window]:
    """Return the function that opens a clerk's window on a municipality's pages."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(slug: str, *, javascript: bool = True) -> Desk:
        context = browser.new_context(
            java_script_enabled=javascript,
            locale="de-DE",
            viewport=WIDE,  # type: ignore[arg-type]
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.text} {message.location}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        host = f"{slug}.{settings.AMTSBRUECKE.web_domain}"
        return Desk(page, f"http://{host}:{server}")

    yield opened
    for context in contexts:
        context.close()
    refused = [text for text in complaints if "status of 4" not in text]
    assert not refused, refused


@pytest.fixture
def dressed(a: Any, b: Any, post: Any) -> tuple[Any, Any]:
    """Two towns with a little of everything in their lists; returns the towns."""
    scenes.dress(a, b, post)
    return a, b

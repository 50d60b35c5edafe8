"""A clerk's page, fetched over HTTP as a browser does, signed in."""

import http.cookiejar
import re
import time
import urllib.parse
import urllib.request

from benchmarks.modes import percentile
from benchmarks.steps import LOGIN, PASSWORD
from benchmarks.world import BenchmarkError, World

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def time_worklist(world: World, *, times: int) -> dict[str, float]:
    """Fetch the worklist of the first town of krz again and again."""
    settings = world.krz.folder.settings()
    port = settings["AMTSBRUECKE_WEB_BIND"].rpartition(":")[2]
    # A name under `localhost` is known to browsers, not to every resolver.
    address = f"http://127.0.0.1:{port}"
    host = {"Host": f"stadt0.{settings['AMTSBRUECKE_WEB_DOMAIN']}:{port}"}
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        urllib.request.ProxyHandler({}),
    )
    worklist = urllib.request.Request(f"{address}/", headers=host)  # noqa: S310 -- our own server
    form = opener.open(worklist, timeout=20)
    token = _TOKEN.search(form.read().decode())
    if token is None:
        raise BenchmarkError(f"no form to sign in at {form.url}")
    fields = {"login": LOGIN, "password": PASSWORD}
    fields["csrfmiddlewaretoken"] = token[1]
    body = urllib.parse.urlencode(fields).encode()
    entry = urllib.request.Request(form.url, body, host)  # noqa: S310 -- our own server
    opener.open(entry, timeout=20).read()
    found = []
    for number in range(times + 10):
        begin = time.perf_counter()
        with opener.open(worklist, timeout=20) as page:
            page.read()
            if "anmelden" in page.url:
                raise BenchmarkError("the clerk could not sign in")
        if number >= 10:
            found.append((time.perf_counter() - begin) * 1000)
    return {"p50_ms": percentile(found, 0.5), "p99_ms": percentile(found, 0.99)}

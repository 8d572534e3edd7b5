"""How long the console's pages take to make, with 10,000 instances and a million deliveries.

The pages are found as people find them: the menu, the filters, sortings and first row of each list, the tabs of an
instance. Each is asked for as the owner of the largest organization, of the smallest, and as a superuser. All of it
takes about four minutes, half of them to fill the database; where time runs out, pages are asked for once or left out.

`python -m benchmarks.console --instances 1000 --deliveries 50000` fills less (as INSTANCES and DELIVERIES in the
environment do for `make bench`), `--only delivery` asks for some of the pages, and `--serve PORT` lets you walk through
the same data yourself.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from benchmarks import console_data
from benchmarks.harness import process, servers

ROUNDS = 3
MOST_MS = 300
SECONDS = 75
"""For the rounds of all pages; shared evenly by the visitors."""
PATIENCE = 15
"""For asking once for what is left to a visitor. What is left then is left out, and said to be."""
MOST_CHOICES = 2
"""Of one filter, of the sortings and of the numbered pages: the first ones, and one more, the last."""
INSTANCES = int(os.environ.get("INSTANCES", console_data.INSTANCES))
DELIVERIES = int(os.environ.get("DELIVERIES", console_data.DELIVERIES))
SEARCHED = "77"
_VISITORS = ("largest", "smallest", "everything")
_LISTS = (
    *("instances_instance", "instances_user", "instances_auditentry", "events_event", "events_delivery"),
    *("events_deliveryattempt", "events_subscription", "events_registration", "events_inbox", "events_callback"),
    *("events_replay", "polling_pollcursor", "polling_job", "polling_bulkquery"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    name: str
    path: str


class Links(HTMLParser):
    """Where a page leads: its links, and what its filters can be set to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._filter = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.found.append(given["href"])
        elif tag == "select":
            self._filter = given.get("name", "")
        elif tag == "option" and self._filter not in ("", "action") and given.get("value"):
            self.found.append(f"?{self._filter}={given['value']}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._filter = ""


def links_of(html: str) -> list[str]:
    parser = Links()
    parser.feed(html)
    return list(dict.fromkeys(parser.found))


def narrowing(links: Sequence[str]) -> list[str]:
    """Some of each kind: the first of a filter's choices, and the last, which is often the farthest or rarest."""
    kinds: dict[str, list[str]] = {}
    for link in links:
        names = sorted(parse_qs(urlsplit(link).query))
        if link.startswith("?") and names and "_facets" not in names:
            kinds.setdefault(",".join(names), []).append(link)
    return [one for some in kinds.values() for one in dict.fromkeys([*some[:MOST_CHOICES], some[-1]])]


def pages(client: Any) -> Iterator[Page]:
    """All that is one click away from the menu or from the page of an instance."""
    from django.urls import reverse

    yield Page(name="home", path=reverse("admin:index"))
    for name in _LISTS:
        path = reverse(f"admin:{name}_changelist")
        answer = client.get(path)
        if answer.status_code != 200:
            continue
        label = name.partition("_")[2]
        yield Page(name=f"{label}: list", path=path)
        yield Page(name=f"{label}: search", path=f"{path}?q={SEARCHED}")
        links = links_of(answer.content.decode())
        for link in narrowing(links):
            yield Page(name=f"{label}: {'sorting' if link.startswith('?o=') else 'filter'} {link}", path=path + link)
        inside = (urlsplit(urljoin(path, link)).path for link in links)
        first = next((one for one in inside if one.startswith(path) and one.endswith("/change/")), None)
        if first is not None:
            yield Page(name=f"{label}: page", path=first)
            if name == "instances_instance":
                yield from tabs(client, first)


def tabs(client: Any, path: str) -> Iterator[Page]:
    from django.urls import reverse

    root = reverse("admin:index")
    instance_id = path.rstrip("/").split("/")[-2]
    for link in links_of(client.get(path).content.decode()):
        is_of_it = link.startswith(root) and (link.endswith(f"={instance_id}") or f"/{instance_id}/" in link)
        if is_of_it and link != path and "/delete/" not in link:
            yield Page(name=f"instance: {link.removeprefix(root)}", path=link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    page: str
    visitor: str
    milliseconds: list[float]
    cpu_ms: float
    """Of it, what this process computed, without waiting for PostgreSQL or for another process to make room."""

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    def line(self) -> str:
        return f"{self.median:7.0f} {max(self.milliseconds):7.0f} {self.cpu_ms:7.0f}   {self.visitor:<10} {self.page}"


def measure(client: Any, page: Page, *, visitor: str, rounds: int) -> Taken | None:
    """None: it does not answer 200."""
    taken, cpu = [], []
    for _ in range(rounds):
        begun, computed = time.perf_counter(), time.process_time()
        status = client.get(page.path).status_code
        taken.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - computed) * 1000)
        if status != 200:
            return None
    return Taken(page=page.name, visitor=visitor, milliseconds=taken, cpu_ms=statistics.median(cpu))


def visitors(filled: console_data.Filled) -> dict[str, str]:
    emails = (console_data.owner_of(filled.largest), console_data.owner_of(filled.smallest), "root@example.com")
    return dict(zip(_VISITORS, emails, strict=True))


def run(*, instances: int = INSTANCES, deliveries: int = DELIVERIES, only: str = "") -> str:
    begun = time.monotonic()
    filled = console_data.fill(instances=instances, deliveries=deliveries)
    print(f"filled {instances:,} instances, {deliveries:,} deliveries in {time.monotonic() - begun:.0f} s", flush=True)
    return report(filled, only=only)


def report(filled: console_data.Filled, *, rounds: int = ROUNDS, only: str) -> str:
    """Of the pages with `only` in their name; each is printed as it is measured."""
    print(f"{'p50 ms':>7} {'max ms':>7} {'cpu ms':>7}   {'of':<10} page", flush=True)
    taken: list[Taken] = []
    for visitor, email in visitors(filled).items():
        taken += of_visitor(visitor, email, rounds=rounds, only=only)
    late = sum(1 for one in taken if one.median > MOST_MS)
    slowest = sorted(taken, key=lambda one: -one.median)
    lines = "\n".join(one.line() for one in slowest[:10])
    verdict = "all within" if not late else f"{late} slower than"
    return f"the slowest:\n{lines}\n\n{len(taken)} pages, {verdict} {MOST_MS} ms (p50)"


def of_visitor(visitor: str, email: str, *, rounds: int, only: str) -> Iterator[Taken]:
    from django.test import Client

    from instances.models import User

    client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    client.force_login(User.objects.get(email=email))
    client.get("/console/")  # the first page of all reads every template
    ends_at = time.monotonic() + SECONDS / len(_VISITORS)
    for page in pages(client):
        if time.monotonic() > ends_at + PATIENCE:
            print(f"no time for the other pages of {visitor}, from {page.name} on", flush=True)
            return
        if only in page.name:
            left = rounds if time.monotonic() < ends_at else 1
            found = measure(client, page, visitor=visitor, rounds=left)
            if found is not None:
                print(found.line(), flush=True)
                yield found


def serve(port: int, *, instances: int, deliveries: int) -> None:
    """Until somebody ends it."""
    filled = console_data.fill(instances=instances, deliveries=deliveries)
    for visitor, email in visitors(filled).items():
        print(f"{visitor}: {email}, password {console_data.PASSWORD}", flush=True)
    print(f"http://127.0.0.1:{port}/console/ over VAR_DIR={os.environ['VAR_DIR']}", flush=True)
    os.environ.update(DEBUG="1", PORT=str(port))
    with process(sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}", "--noreload") as child:
        child.wait()
    print("The web server has ended; the data stays until this process is ended, too.", flush=True)
    signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(description="The console over much data.")
    parser.add_argument("--serve", type=int, metavar="PORT", help="instead of measuring")
    parser.add_argument("--instances", type=int, default=INSTANCES)
    parser.add_argument("--deliveries", type=int, default=DELIVERIES)
    parser.add_argument("--only", default="", metavar="TEXT", help="pages with this in their name")
    chosen = parser.parse_args()
    with servers():
        if chosen.serve is not None:
            serve(chosen.serve, instances=chosen.instances, deliveries=chosen.deliveries)
        else:
            print(run(instances=chosen.instances, deliveries=chosen.deliveries, only=chosen.only), flush=True)


if __name__ == "__main__":
    main()

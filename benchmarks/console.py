"""How long the console's pages take to make, with 10,000 instances and a million deliveries.

The pages are found as people find them: the menu, the filters, sortings and first row of each list, the tabs of an
instance. Each is asked for as the owner of the largest organization, of the smallest, and as a superuser.

`python -m benchmarks.console --serve PORT` lets you walk through the same data yourself.
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
from urllib.parse import urljoin, urlsplit

from benchmarks import console_data
from benchmarks.harness import process, servers, table

ROUNDS = 3
MOST_MS = 300
MOST_LINKS = 24
"""Of one list: filters and sortings."""
INSTANCES = int(os.environ.get("INSTANCES", console_data.INSTANCES))
DELIVERIES = int(os.environ.get("DELIVERIES", console_data.DELIVERIES))
SEARCHED = "77"
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
        narrowed = [link for link in links if link.startswith("?") and link != "?"]
        for link in narrowed[:MOST_LINKS]:
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


def milliseconds(client: Any, page: Page, *, rounds: int) -> list[float] | None:
    """None: it does not answer 200."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = client.get(page.path)
        if hasattr(answer, "render") and not getattr(answer, "is_rendered", True):
            answer.render()
        taken.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            return None
    return taken


def visitors(filled: console_data.Filled) -> dict[str, str]:
    return {
        "largest": console_data.owner_of(filled.largest),
        "smallest": console_data.owner_of(filled.smallest),
        "everything": "root@example.com",
    }


def run(*, rounds: int = ROUNDS) -> str:
    return report(console_data.fill(instances=INSTANCES, deliveries=DELIVERIES), rounds=rounds, only="")


def report(filled: console_data.Filled, *, rounds: int, only: str) -> str:
    """Of the pages with `only` in their name, the slowest first."""
    from django.test import Client

    from instances.models import User

    slowest: list[tuple[float, list[str]]] = []
    for visitor, email in visitors(filled).items():
        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(User.objects.get(email=email))
        for page in pages(client):
            if only not in page.name:
                continue
            taken = milliseconds(client, page, rounds=rounds)
            if taken is not None:
                figures = [f"{statistics.median(taken):.0f}", f"{max(taken):.0f}"]
                slowest.append((statistics.median(taken), [page.name.replace("|", "/"), visitor, *figures]))
    slowest.sort(key=lambda one: -one[0])
    late = sum(1 for median, _ in slowest if median > MOST_MS)
    rows: list[Sequence[str]] = [["page", "of", "p50 ms", f"max ms (must: ≤ {MOST_MS})"], *(row for _, row in slowest)]
    return f"{len(slowest)} pages, {late} of them slower than {MOST_MS} ms\n\n{table(rows)}"


def serve(port: int) -> None:
    """Until somebody ends it."""
    filled = console_data.fill(instances=INSTANCES, deliveries=DELIVERIES)
    for visitor, email in visitors(filled).items():
        print(f"{visitor}: {email}, password {console_data.PASSWORD}", flush=True)
    print(f"http://127.0.0.1:{port}/console/ over VAR_DIR={os.environ['VAR_DIR']}", flush=True)
    os.environ.update(DEBUG="1", PORT=str(port))
    with process(sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}", "--noreload") as child:
        child.wait()
    print("The web server has ended; the data stays until this process is ended, too.", flush=True)
    signal.pause()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The console over much data.")
    parser.add_argument("--serve", type=int, metavar="PORT", required=True)
    chosen = parser.parse_args()
    with servers():
        serve(chosen.serve)

"""A Ledger on loopback: people in memory, by keys that are no numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from connectors.sandbox.server import Answer, LocalServer, Request

SECRET = "ledger-canary"


class Ledger:
    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self._server = LocalServer(self._answer)

    def __enter__(self) -> Ledger:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    def add(self, **fields: Any) -> dict[str, Any]:
        key = f"p-{len(self.people) + 1:03}"
        self.people[key] = {"key": key, "made": self._stamp(), "changed": self._stamp(), **fields}
        return self.people[key]

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _answer(self, request: Request) -> Answer:
        status, document = self._answered(request)
        date = format_datetime(self.now, usegmt=True)
        return Answer(status=status, body=json.dumps(document).encode(), headers=(("Date", date),))

    def _answered(self, request: Request) -> tuple[int, object]:
        if request.headers.get("x-ledger-secret") != SECRET:
            return 401, {"message": "Who are you?"}
        _, collection, *rest = request.path.split("/")
        if collection != "people" or len(rest) > 1 or (rest and rest[0] not in self.people):
            return 404, {"message": "Nothing here"}
        sent = json.loads(request.body or b"{}")
        if not rest:
            return (200, self.add(**sent)) if request.method == "POST" else (200, self._listed(request))
        person = self.people[rest[0]]
        if request.method == "DELETE":
            return 200, self.people.pop(rest[0])
        if request.method == "PUT":
            for name in person.keys() - {"key", "made"}:
                del person[name]
        if request.method in ("PUT", "PATCH"):
            person |= {**sent, "changed": self._stamp()}
        return 200, person

    def _listed(self, request: Request) -> dict[str, Any]:
        asked = {name: values[-1] for name, values in parse_qs(request.query).items()}
        found = [
            one
            for key, one in sorted(self.people.items())
            if key > asked.get("after", "")
            and one["changed"] >= asked.get("since", "")
            and one["fullName"] == asked.get("name", one["fullName"])
        ]
        start, size = int(asked.get("offset", 0)), int(asked["limit"])
        return {"rows": found[start : start + size], "more": len(found) > start + size, "total": len(found)}

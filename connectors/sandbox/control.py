"""The sandbox's controls over HTTP, for other processes on this machine: everything under `/_sandbox/`.

    GET    /_sandbox                     how many records there are, and the clock
    GET    /_sandbox/credentials         what a client needs: baseUrl, company, publicKey, privateKey
    GET    /_sandbox/{collection}        the ids, ascending
    POST   /_sandbox/{collection}        a record's fields, with `at` and `is_hidden` as Collection.add has them
    GET, PATCH, DELETE /_sandbox/{collection}/{id}
    POST   /_sandbox/{collection}/{id}/reveal
    GET    /_sandbox/callbacks           the switches, the id of the key that signs, and how many are on their way
    PATCH  /_sandbox/callbacks           sets switches: attributes of Callbacks, such as {"drop": 0.2, "seed": 7}
    POST   /_sandbox/callbacks/{what}    pause, resume, rotate_key or replace_key
    GET, DELETE /_sandbox/callbacks/sent every try that has ended
    POST   /_sandbox/behave              the words of Sandbox.behave
    DELETE /_sandbox/behave              forgets every script
    GET, DELETE /_sandbox/requests
    POST   /_sandbox/clock               {"offset": seconds}, {"freeze": text}, {"resume": true}, {"advance": seconds}

A collection is contacts, companies, tickets, time_entries, notes (of all tickets: ticketId says of which),
configurations, opportunities, user_defined_fields, schedule_entries, or registrations: those for callbacks.
They take no credentials: the server listens on loopback only.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connectors.sandbox.callbacks import Callbacks, SentCallback
from connectors.sandbox.clock import parse_stamp
from connectors.sandbox.collection import Collection
from connectors.sandbox.refusals import JSON, encode
from connectors.sandbox.server import Answer, Request

if TYPE_CHECKING:
    from connectors.sandbox.sandbox import Sandbox


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")[1:]
        try:
            body = json.loads(request.body) if request.body else {}
            if not isinstance(body, dict):
                return _json(400, {"error": "The body must be a JSON object"})
            return self._answer(request.method, parts, body)
        except (ValueError, TypeError) as mistake:
            return _json(400, {"error": str(mistake)})
        except KeyError as missing:
            return _json(404, {"error": f"There is no {missing.args[0]}"})

    def _answer(self, method: str, parts: list[str], body: dict[str, Any]) -> Answer:
        match method, parts:
            case "GET", []:
                counts = {name: len(collection) for name, collection in self._sandbox.collections.items()}
                return _json(200, counts | {"now": self._sandbox.clock.now().isoformat()})
            case "GET", ["credentials"]:
                return _json(200, self._sandbox.credentials())
            case "POST", ["behave"]:
                self._sandbox.behave(**body)
                return Answer(status=204)
            case "DELETE", ["behave"]:
                self._sandbox.behave_well()
                return Answer(status=204)
            case "GET", ["requests"]:
                return _json(200, self._requests())
            case "DELETE", ["requests"]:
                self._sandbox.requests.clear()
                return Answer(status=204)
            case "POST", ["clock"]:
                self._set_clock(**body)
                return Answer(status=204)
            case _, ["callbacks", *rest]:
                return _answer_callbacks(self._sandbox.callbacks, method, rest, body)
            case _, [name, *rest]:
                return _answer_for(self._sandbox.collections[name], method, rest, body)
        return _json(405, {"error": f"{method} is not known here"})

    def _requests(self) -> list[dict[str, Any]]:
        return [
            {
                "method": one.method,
                "path": one.path,
                "endpoint": one.endpoint,
                "query": one.query,
                "headers": one.headers,
                "body": one.body.decode("utf-8", "replace"),
            }
            for one in list(self._sandbox.requests)
        ]

    def _set_clock(
        self, *, offset: float | None = None, freeze: str | None = None, resume: bool = False, advance: float = 0.0
    ) -> None:
        clock = self._sandbox.clock
        if offset is not None:
            clock.offset = timedelta(seconds=offset)
        if freeze is not None:
            moment = parse_stamp(freeze)
            if moment is None:
                raise ValueError(f"freeze: {freeze!r} is no date")
            clock.freeze(moment)
        if resume:
            clock.resume()
        clock.advance(seconds=advance)


def _answer_callbacks(callbacks: Callbacks, method: str, rest: list[str], body: dict[str, Any]) -> Answer:
    orders = {
        "pause": callbacks.pause,
        "resume": callbacks.resume,
        "rotate_key": callbacks.rotate_key,
        "replace_key": callbacks.replace_key,
    }
    match method, rest:
        case "GET", []:
            return _json(200, callbacks.state())
        case "PATCH", []:
            callbacks.switch(**body)
            return _json(200, callbacks.state())
        case "GET", ["sent"]:
            return _json(200, [_shown(one) for one in list(callbacks.sent)])
        case "DELETE", ["sent"]:
            callbacks.sent.clear()
            return Answer(status=204)
        case "POST", [order] if order in orders:
            orders[order]()
            return Answer(status=204)
    return _json(405, {"error": f"{method} is not known here"})


def _shown(sent: SentCallback) -> dict[str, Any]:
    return {**asdict(sent), "at": sent.at.isoformat(), "body": sent.body.decode()}


def _answer_for(collection: Collection, method: str, rest: list[str], body: dict[str, Any]) -> Answer:
    match method, rest:
        case "GET", []:
            return _json(200, collection.ids())
        case "POST", []:
            return _json(201, collection.add(**body))
        case "GET", [record_id]:
            return _json(200, collection.get(int(record_id)))
        case "PATCH", [record_id]:
            return _json(200, collection.edit(int(record_id), **body))
        case "DELETE", [record_id]:
            collection.delete(int(record_id))
            return Answer(status=204)
        case "POST", [record_id, "reveal"]:
            collection.reveal(int(record_id))
            return Answer(status=204)
    return _json(405, {"error": f"{method} is not known here"})


def _json(status: int, value: object) -> Answer:
    return Answer(status=status, body=encode(value), headers=(("Content-Type", JSON),))

"""Bodies of callbacks as ConnectWise sends them, whole or with members changed, and whom they are for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from connectors import registry
from connectors.callbacks import Callbacks, InboundCallback
from connectors.connection import Connection
from connectors.sandbox.server import Answer, LocalServer, Request

ELEMENT = registry.element("connectwisehd")
assert ELEMENT.callbacks is not None
CALLBACKS: Callbacks = ELEMENT.callbacks

PAYLOADS = Path(__file__).parents[3] / "payloads" / "connectwise"
CLOUD = "https://sandbox-na.myconnectwise.net"
KEY_PATH = "/v2025_1//system/callbackkey/index.rails"


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def inbound(body: bytes | str | dict[str, Any], *, signature: str = "") -> InboundCallback:
    if isinstance(body, dict):
        body = json.dumps(body)
    return InboundCallback(body=body.encode() if isinstance(body, str) else body, signature=signature)


def changed(name: str, **members: Any) -> dict[str, Any]:
    """The payload with these members in the place of its own; `...` takes one away."""
    document = json.loads(payload(name)) | members
    return {key: value for key, value in document.items() if value is not ...}


def with_key_url(key_url: object, **members: Any) -> InboundCallback:
    return inbound(changed("contact_updated", Metadata={"key_url": key_url}, **members))


def connection(server: str = CLOUD, *, company: str = "acme", **others: str) -> Connection:
    return Connection(
        element=ELEMENT,
        configuration={
            "helpdesk.connectwise.server.url": server,
            "helpdesk.connectwise.company": company,
            "helpdesk.connectwise.username": others.get("username", "someone"),
            "helpdesk.connectwise.password": others.get("password", "canary-password"),
        },
    )


class Catcher:
    """Takes callbacks on loopback and keeps them as the receiver would."""

    def __init__(self) -> None:
        self.caught: list[InboundCallback] = []
        self._server = LocalServer(self._catch)
        self.url = self._server.url

    def _catch(self, request: Request) -> Answer:
        signature = request.headers.get(CALLBACKS.signature_header, "")
        self.caught.append(InboundCallback(body=request.body, signature=signature, query=request.query))
        return Answer(status=200, body=b"{}")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

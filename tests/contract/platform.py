"""The platform over real HTTP, as a client written for Cloud Elements meets it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from connectors.sandbox import Sandbox
from events import deliver, standardize
from tests.events.sink import Sink

BASE = "/elements/api-v2"
KEY = "abcd1234efgh5678"
CRM, HELP_DESK = "connectwisecrmrest", "connectwisehd"
EXPOSED = (
    "Elements-Returned-Count, Elements-Total-Count, Elements-Request-Id, Elements-Next-Page-Token, "
    "Elements-Trace-Id, Elements-Error, Content-Disposition"
)
_is_request_id = re.compile("[0-9a-f]{24}").fullmatch


@dataclass(kw_only=True)
class Account:
    """A user of an organization, and how to call as that user. Every answer is held to the form that all have."""

    url: str
    user_secret: str = field(repr=False)
    organization_secret: str = field(repr=False)
    session: requests.Session = field(default_factory=requests.Session, repr=False)

    def authorization(self, kinds: str, token: str = "") -> str:
        """`U`, `O` and `E`, in the order in which the credentials shall stand."""
        secrets = {
            "U": f"User {self.user_secret}",
            "O": f"Organization {self.organization_secret}",
            "E": f"Element {token}",
        }
        return ", ".join(secrets[kind] for kind in kinds)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kinds: str = "UO",
        token: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> requests.Response:
        """One call. Raises AssertionError where the answer has another status or not the form of the API."""
        sent = {"Origin": "https://app.example.com", **(headers or {})}
        if kinds:
            sent["Authorization"] = self.authorization(kinds, token)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self.session.request(method, self.url + BASE + path, json=body, data=data, headers=sent, timeout=30)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        request_id = answer.headers["Elements-Request-Id"]
        assert _is_request_id(request_id)
        assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED
        assert "X-Frame-Options" not in answer.headers
        if status >= 400:
            error = answer.json()
            assert error["requestId"] == request_id
            assert isinstance(error["message"], str)
            assert error["message"] != ""
            assert set(error) <= {"requestId", "message", "providerMessage"}
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options).json()


@dataclass(kw_only=True)
class Platform(Account):
    """What the tests of one module share: one organization, a ConnectWise, and a customer's receiver."""

    sandbox: Sandbox
    sink: Sink
    stranger: Account
    """An owner of another organization."""
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    """One of each element, by its key, as POST /instances answered."""

    def configuration(self, element: str, **more: Any) -> dict[str, Any]:
        """What the element asks for, and what was asked for besides."""
        sandbox = self.sandbox
        if element == CRM:
            own: dict[str, Any] = {
                "baseUrl": sandbox.base_url,
                "company": sandbox.company,
                "public.key": sandbox.public_key,
                "private.key": sandbox.private_key,
            }
        else:
            own = {
                "helpdesk.connectwise.server.url": sandbox.url,
                "helpdesk.connectwise.company": sandbox.company,
                "helpdesk.connectwise.username": sandbox.public_key,
                "helpdesk.connectwise.password": sandbox.private_key,
            }
        return own | more

    def create(self, element: str, *, name: str = "Acme", **more: Any) -> dict[str, Any]:
        body = {"element": {"key": element}, "name": name, "configuration": self.configuration(element, **more)}
        created: dict[str, Any] = self.call("POST", "/instances", body).json()
        return created

    def hub(self, element: str, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A call of the hub through the element's instance, with the credentials that the hub asks for."""
        options.setdefault("kinds", "UE")
        return self.call(method, path, body, token=self.instances[element]["token"], **options)

    def receive(self) -> None:
        """What workers do: standardize what waits, and deliver what is due."""
        self.sandbox.callbacks.wait_until_idle(10)
        standardize.drain()
        deliver.drain()

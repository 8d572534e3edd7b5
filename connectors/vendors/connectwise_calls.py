"""Calls of ConnectWise's REST API 3.0 for one company: signing in, sending, reading what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from connectors.egress import Answer, fetch, raise_for_status
from connectors.errors import (
    ConnectorError,
    DestinationRefused,
    InvalidRecord,
    RecordNotFound,
    RequestRefused,
    UnusableAnswer,
)
from connectors.vendors.connectwise_login import Login
from connectors.vendors.connectwise_refusals import explained

_object = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, without the way to send it: host and credentials come from the client."""

    method: str
    path: str
    """Behind `/apis/3.0`."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)

    def target(self) -> str:
        query = urlencode(self.parameters, quote_via=quote, safe="")
        return f"{self.path}?{query}" if query else self.path


class Caller:
    """Signs in and asks. Knows no resources."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._url = login.api_url()
        self._headers = login.headers()

    def check(self) -> datetime:
        """GET /system/info, which needs next to no rights. Returns the provider's clock."""
        try:
            answer = self._get("/system/info", {})
        except RecordNotFound as error:
            login = self._login
            raise RequestRefused(
                f"ConnectWise has nothing at this address: check {login.address_parts} in {login.base_url_key} "
                f"(a complete one reads {login.example_url}); on the cloud it may also mean that "
                f"{login.credentials_keys} are wrong",
                provider_message=error.provider_message,
                status=error.status,
            ) from error
        self._check_info(answer)
        return self._date(answer)

    def _check_info(self, answer: Answer) -> None:
        json_object(answer)

    def request(
        self, method: str, path: str, *, parameters: Mapping[str, str] | None = None, document: object = None
    ) -> Answer:
        """One call to `path` behind `/apis/3.0`, with a document as JSON. Raises where the answer is no 2xx."""
        if document is None:
            return self._call(method, path, parameters or {}, {})
        headers = {"Content-Type": "application/json"}
        return self._call(method, path, parameters or {}, headers, _encoded(document))

    def _get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self._call("GET", path, parameters, headers or {})

    def _address(self, path: str, parameters: Mapping[str, str]) -> str:
        return self._url + Call(method="GET", path=path, parameters=parameters).target()

    def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        try:
            return self._answer(Call(method=method, path=path, parameters=parameters, headers=headers, body=body))
        except DestinationRefused as error:
            raise DestinationRefused(f"{self._login.base_url_key}: {error}") from error
        except ConnectorError as error:
            error.provider_message = self._without_secrets(error.provider_message)
            better = explained(error, login=self._login, path=path, has_client_id="clientId" in self._headers)
            if better is error:
                raise
            raise better from error

    def _answer(self, call: Call) -> Answer:
        """The answer to a call, by the way in that this client has. Raises where it is no 2xx."""
        return self._send(call, url=self._url, headers={})

    def _send(self, call: Call, *, url: str, headers: Mapping[str, str]) -> Answer:
        """One request to `url`, which ends with `/apis/3.0`, with `headers` beside those of the login."""
        answer = fetch(
            call.method, url + call.target(), headers={**self._headers, **headers, **call.headers}, body=call.body
        )
        raise_for_status(answer)
        return answer

    def _without_secrets(self, text: str) -> str:
        for secret in (self._login.private_key.strip(), self._headers["Authorization"].removeprefix("Basic ")):
            if secret:
                text = text.replace(secret, "********")
        return text

    def _date(self, answer: Answer) -> datetime:
        if answer.date is None:
            raise UnusableAnswer("ConnectWise answered without a readable Date header, so its clock is not known")
        return answer.date


def decoded(answer: Answer, decoder: msgspec.json.Decoder[Any], what: str) -> Any:
    """Raises UnusableAnswer."""
    try:
        answer.body.decode()  # the decoder does not look at the text that it steps over
        return decoder.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableAnswer(
            f"ConnectWise answered with something that is not {what} in JSON, or not all of it",
            status=answer.status,
        ) from error


def json_object(answer: Answer) -> dict[str, Any]:
    """Raises UnusableAnswer."""
    return decoded(answer, _object, "an object")  # type: ignore[no-any-return]


def _encoded(document: object) -> bytes:
    """Raises InvalidRecord for what JSON's readers elsewhere could not take."""
    try:
        return msgspec.json.encode(document)
    except (UnicodeEncodeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidRecord("The record holds half a character, or is nested too deeply") from error

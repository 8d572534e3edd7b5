"""Clients of a sandbox, as connectwisecrmrest has them."""

from __future__ import annotations

from typing import Any

from connectors.connection import Connection
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.sandbox import Sandbox


def configuration(sandbox: Sandbox, **other: str | None) -> dict[str, str | None]:
    return {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
    } | {key.replace("_", "."): value for key, value in other.items()}


def client_of(sandbox: Sandbox, **other: str | None) -> Any:
    return Connection(element=ELEMENT, configuration=configuration(sandbox, **other)).client()

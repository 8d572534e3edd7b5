"""Connections of connectwisehd to a sandbox."""

from __future__ import annotations

from connectors.connection import Connection
from connectors.elements.connectwisehd.definition import ELEMENT
from connectors.sandbox import Sandbox


def connection_to(sandbox: Sandbox, *, filters_nulls: bool = True, **other: str | None) -> Connection:
    """With the sandbox's API key pair; `other` are keys without what stands before their last part."""
    values = {
        "url": sandbox.url,
        "company": sandbox.company,
        "username": sandbox.public_key,
        "password": sandbox.private_key,
        "client_id": None,
    } | other
    return Connection(
        element=ELEMENT,
        configuration={
            "helpdesk.connectwise.server.url": values["url"],
            "helpdesk.connectwise.company": values["company"],
            "helpdesk.connectwise.username": values["username"],
            "helpdesk.connectwise.password": values["password"],
            "connectwise.clientID": values["client_id"],
        },
        filters_nulls=filters_nulls,
    )

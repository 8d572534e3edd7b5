"""How the configuration of this element becomes a way in, and what clients write otherwise than ConnectWise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.connection import Connection
from connectors.element import Resource
from connectors.errors import InvalidRecord
from connectors.vendors.connectwise import ConnectWiseClient, Login


class Client(ConnectWiseClient):
    """Raises RequestRefused when `baseUrl` or `connectwise.clientID` cannot be used."""

    def __init__(self, connection: Connection) -> None:
        values = connection.configuration
        super().__init__(
            Login(
                base_url=values.get("baseUrl") or "",
                company=values.get("company") or "",
                public_key=values.get("public.key") or "",
                private_key=values.get("private.key") or "",
                client_id=values.get("connectwise.clientID") or "",
            )
        )

    def _document(self, resource: Resource, fields: Mapping[str, Any], *, record_id: str | None) -> dict[str, Any]:
        if resource.key == "incidents/members":
            fields = _with_member(fields)
        return super()._document(resource, fields, record_id=record_id)


def _with_member(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`{"id": 12}` and `{"identifier": "jsmith"}` are the member, too. Raises InvalidRecord."""
    named = {name: fields[name] for name in ("id", "identifier") if fields.get(name) is not None}
    member = fields.get("member") or named
    if not isinstance(member, dict) or not member:
        raise InvalidRecord('member is missing: send {"member": {"identifier": "jsmith"}}, or the id of the member')
    return {**{name: value for name, value in fields.items() if name not in named}, "member": member}

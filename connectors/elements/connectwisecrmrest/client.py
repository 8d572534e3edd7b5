"""How the configuration of this element becomes a way in."""

from __future__ import annotations

from connectors.connection import Connection
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

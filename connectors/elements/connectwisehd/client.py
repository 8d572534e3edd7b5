"""How the configuration of this element becomes a way in, and how records get the hub's field names."""

from __future__ import annotations

from connectors.connection import Connection
from connectors.vendors.connectwise import API_PATH, ConnectWiseClient, Login


class Client(ConnectWiseClient):
    def __init__(self, connection: Connection) -> None:
        values = connection.configuration
        server = (values.get("helpdesk.connectwise.server.url") or "").strip().rstrip("/")
        super().__init__(
            Login(
                base_url=f"{server}/v4_6_release{API_PATH}",
                company=values.get("helpdesk.connectwise.company") or "",
                public_key=values.get("helpdesk.connectwise.username") or "",
                private_key=values.get("helpdesk.connectwise.password") or "",
                base_url_key="helpdesk.connectwise.server.url",
                credentials_keys="helpdesk.connectwise.company, helpdesk.connectwise.username and "
                "helpdesk.connectwise.password",
            )
        )

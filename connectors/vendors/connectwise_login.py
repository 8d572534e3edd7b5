"""How one signs in to the REST API of ConnectWise PSA: the address, the credentials, the headers of every call."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from connectors.errors import RequestRefused

API_PATH = "/apis/3.0"
EXAMPLE_URL = "https://api-na.myconnectwise.net/v4_6_release/apis/3.0"
# Without a version the newest record model is served, and fields change their names between models.
MODEL = "application/vnd.connectwise.com+json; version=2025.1"

_is_client_id = re.compile(r"[\x21-\x7e]+").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One API member's way in. `*_key` are the configuration keys, to name in messages for people."""

    base_url: str
    company: str
    public_key: str
    private_key: str = field(repr=False)
    client_id: str = ""
    base_url_key: str = "baseUrl"
    credentials_keys: str = "company, public.key and private.key"
    client_id_key: str = "connectwise.clientID"
    example_url: str = EXAMPLE_URL
    """What a complete value of `base_url_key` reads like."""
    address_parts: str = "the host and the codebase"
    """What can be wrong in `base_url_key`, in words."""
    credentials_hint: str = ""
    """What to add when the credentials are refused, in words."""

    def api_url(self) -> str:
        """The URL up to `/apis/3.0`, without a trailing slash. Raises RequestRefused with the way to write it."""
        url = self.base_url.strip().rstrip("/")
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname or parts.scheme.lower() not in ("http", "https"):
            raise RequestRefused(f"{self.base_url_key} is no URL; a complete one reads {EXAMPLE_URL}")
        if parts.query or parts.fragment:
            raise RequestRefused(f"{self.base_url_key} must end with {API_PATH}, without ? and # behind it")
        if parts.path.lower().count(API_PATH) != 1 or not parts.path.lower().endswith(API_PATH):
            raise RequestRefused(
                f"{self.base_url_key} must contain {API_PATH} once, at its end; a complete one reads {EXAMPLE_URL}"
            )
        return url

    def headers(self) -> dict[str, str]:
        """Raises RequestRefused for a client id that no header can carry."""
        pair = f"{self.company.strip()}+{self.public_key.strip()}:{self.private_key.strip()}"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}", "Accept": MODEL}
        if client_id := self.client_id.strip() or settings.CONNECTWISE_CLIENT_ID.strip():
            if not _is_client_id(client_id):
                raise RequestRefused(f"{self.client_id_key} holds characters that no client id has")
            headers["clientId"] = client_id
        return headers

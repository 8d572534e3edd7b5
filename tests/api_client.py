"""The API as a client calls it: JSON over Django's test client, with the secrets of one user."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from instances.encryption import decrypt
from instances.models import Instance, User

BASE = "/elements/api-v2"


class Api:
    """Calls with the user's secrets, and with an instance's token where one is given."""

    def __init__(self, user: User | None, *, token: str = "") -> None:
        self.user, self.token = user, token
        self._client = Client(raise_request_exception=False)

    def through(self, instance: Instance | str) -> Api:
        """The same caller with the token of this instance."""
        return Api(self.user, token=instance if isinstance(instance, str) else decrypt(instance.token_encrypted))

    @property
    def authorization(self) -> str:
        credentials = []
        if self.user is not None and self.user.organization is not None:
            credentials.append(f"User {decrypt(self.user.secret_encrypted)}")
            credentials.append(f"Organization {decrypt(self.user.organization.secret_encrypted)}")
        if self.token:
            credentials.append(f"Element {self.token}")
        return ", ".join(credentials)

    # What comes back is Django's answer with `json()` on it, for which the stubs have no public name.
    def call(self, method: str, path: str, body: Any = None, *, authorization: str | None = None, **query: Any) -> Any:
        header = self.authorization if authorization is None else authorization
        extra: dict[str, Any] = {"headers": {"Authorization": header}} if header else {}
        if body is not None:
            extra |= {"data": body if isinstance(body, bytes) else json.dumps(body), "content_type": "application/json"}
        return self._client.generic(method, BASE + path, query_params=query or None, **extra)

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

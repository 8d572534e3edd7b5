"""The API request that does the same as the form, to be run from a shell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from connectors.element import Element
from instances.console.form_data import Wanted
from instances.console.form_fields import FormField
from instances.models import Instance

_URL = "/elements/api-v2/instances"


def curl(
    wanted: Wanted,
    fields: Iterable[FormField],
    *,
    element: Element,
    instance: Instance | None = None,
    has_secrets: bool = False,
) -> str:
    """Secrets of the form stand in it as words to be replaced, unless they are asked for."""
    body = wanted.body(element if instance is None else None)
    configuration = body.get("configuration", {})
    if not has_secrets:
        for one in fields:
            if one.is_secret and configuration.get(one.key):
                configuration[one.key] = _placeholder(one.key)
    verb, path = ("POST", _URL) if instance is None else ("PATCH", f"{_URL}/{instance.pk}")
    return command(verb, f"{settings.PUBLIC_URL.rstrip('/')}{path}", body)


def command(verb: str, url: str, body: Any) -> str:
    """The body comes as a here document: in it a shell changes nothing, quotes neither."""
    return "\n".join(
        [
            f"curl -X {verb} '{url}' \\",
            "  -H 'Authorization: User YOUR_USER_SECRET, Organization YOUR_ORGANIZATION_SECRET' \\",
            "  -H 'Content-Type: application/json' \\",
            "  --data-binary @- <<'JSON'",
            json.dumps(body, indent=2, ensure_ascii=False),
            "JSON",
        ]
    )


def _placeholder(key: str) -> str:
    return "YOUR_" + "".join(letter if letter.isalnum() else "_" for letter in key).upper()

"""Names and tags of instances, as people and clients give them."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import SuspiciousOperation
from django.utils.html import strip_tags

from instances.errors import InvalidRequest

LONGEST_LABEL = 255


def clean_name(value: object) -> str:
    """Without HTML tags, their inner text kept. Raises InvalidRequest."""
    if not isinstance(value, str):
        raise InvalidRequest("name: send the name of the instance as a string")
    name = _without_html("name", value)
    if not name:
        raise InvalidRequest("name is missing")
    return name


def clean_tags(value: object) -> tuple[str, ...]:
    """A list of strings; objects with a `name`, as old clients send them, are taken by it. Raises InvalidRequest."""
    if not isinstance(value, list | tuple):
        raise InvalidRequest("tags: send a list of strings")
    cleaned = []
    for tag in value:
        name = tag.get("name") if isinstance(tag, Mapping) else tag
        if not isinstance(name, str):
            raise InvalidRequest("tags: send a list of strings")
        cleaned.append(_without_html("tags", name))
    return tuple(name for name in cleaned if name)


def _without_html(field: str, text: str) -> str:
    # Long texts are refused first: stripping is slow on hostile ones.
    if len(text) > 10 * LONGEST_LABEL:
        raise InvalidRequest(f"{field}: longer than {LONGEST_LABEL} characters")
    try:
        stripped = strip_tags(text).strip()
    except SuspiciousOperation:
        raise InvalidRequest(f"{field}: send it without HTML") from None
    if len(stripped) > LONGEST_LABEL:
        raise InvalidRequest(f"{field}: longer than {LONGEST_LABEL} characters")
    return stripped

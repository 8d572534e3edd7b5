"""What a log line may hold."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def without_query_strings(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: Django hands whole requests to the log, and their text shows the query string."""
    return {name: value.path if isinstance(value, HttpRequest) else value for name, value in event.items()}

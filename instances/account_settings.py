"""The settings of an account, which is an organization: which key lives in which column, and the way there and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from instances import retry_schedules
from instances.errors import InvalidRequest
from instances.models import Organization

FAILURE_POLICY = "notification.webhook.failure.policy"
RETRY_SCHEDULE = "notification.webhook.retry.schedule"
RETENTION_DAYS = "notification.retention.days"
LONGEST_RETENTION_DAYS = 3650

_DAYS = re.compile(r"[0-9]{1,5}")


def shown(organization: Organization) -> dict[str, str | None]:
    """Every setting as text, null where the platform's own holds."""
    days = organization.retention_days
    return {
        FAILURE_POLICY: organization.failure_policy,
        RETRY_SCHEDULE: organization.retry_schedule,
        RETENTION_DAYS: None if days is None else str(days),
    }


def columns_of(sent: object) -> dict[str, Any]:
    """The columns that change with what somebody sent. Raises InvalidRequest naming the key."""
    if not isinstance(sent, dict):
        raise InvalidRequest(f"Send a JSON object with {', '.join(_SETTINGS)}")
    if unknown := sorted(set(sent) - set(_SETTINGS)):
        raise InvalidRequest(f"{unknown[0][:100]} is not a setting; {', '.join(_SETTINGS)} are")
    columns = {}
    for key, value in sent.items():
        column, parse = _SETTINGS[key]
        columns[column] = parse(key, value)
    return columns


def _failure_policy(key: str, value: object) -> str:
    if value is None or value == "":
        return Organization.RETRY
    if value not in (Organization.RETRY, Organization.QUEUE):
        raise InvalidRequest(f"{key}: send {Organization.RETRY} or {Organization.QUEUE}")
    return str(value)


def _retry_schedule(key: str, value: object) -> str:
    return retry_schedules.DEFAULT if value is None or value == "" else retry_schedules.parse(key, value)


def retention_days(key: str, value: object) -> int | None:
    """None where the platform's default holds. Raises InvalidRequest naming the key."""
    if value is None or value == "":
        return None
    days = int(value) if isinstance(value, str) and _DAYS.fullmatch(value.strip()) else value
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= LONGEST_RETENTION_DAYS:
        raise InvalidRequest(
            f"{key}: send whole days from 1 to {LONGEST_RETENTION_DAYS}, or null for as long as the platform keeps them"
        )
    return days


_SETTINGS: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    FAILURE_POLICY: ("failure_policy", _failure_policy),
    RETRY_SCHEDULE: ("retry_schedule", _retry_schedule),
    RETENTION_DAYS: ("retention_days", retention_days),
}

"""What has to be done at the provider: a pure comparison of what is wanted with what it has of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from connectors.callbacks import RegisteredCallback, WantedCallback
from connectors.errors import ConnectorError, CredentialsRefused, RateLimited, TryLater

SHORTEST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
CREDENTIALS_PAUSE = timedelta(hours=1)
LONGEST_RATE_LIMIT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything of `found` is in exactly one of the first three; everything wanted in kept, disabled or missing."""

    kept: tuple[RegisteredCallback, ...]
    disabled: tuple[RegisteredCallback, ...]
    superfluous: tuple[RegisteredCallback, ...]
    """Not wanted, a second one of the same, or registered under another address."""
    missing: tuple[WantedCallback, ...]


def plan(*, wanted: Sequence[WantedCallback], found: Sequence[RegisteredCallback], url: str) -> Plan:
    """What makes `found`, all of it ours, agree with `wanted` at `url`. Of several equal ones an active one stays."""
    chosen: dict[WantedCallback, RegisteredCallback] = {}
    for one in sorted(found, key=_preference):
        if one.wanted in wanted and leads_to(one, url):
            chosen.setdefault(one.wanted, one)
    kept = set(chosen.values())
    return Plan(
        kept=tuple(chosen[one] for one in wanted if one in chosen and chosen[one].is_active),
        disabled=tuple(chosen[one] for one in wanted if one in chosen and not chosen[one].is_active),
        superfluous=tuple(one for one in found if one not in kept),
        missing=tuple(one for one in wanted if one not in chosen),
    )


def is_ours(registered: RegisteredCallback, *, element_key: str, token: str) -> bool:
    """Whether it leads to the inbox of this token, at whatever host we had. Others may have it in a query of theirs."""
    try:
        path = urlsplit(registered.url.strip()).path
    except ValueError:
        return False
    return path.endswith(f"/events/{element_key}/{token}")


def leads_to(registered: RegisteredCallback, url: str) -> bool:
    """Whether it is registered at `url`. Providers may spell a host otherwise; our tokens do not differ by case."""
    return registered.url.strip().casefold() == url.casefold()


def _preference(one: RegisteredCallback) -> tuple[bool, int, str]:
    return (not one.is_active, len(one.provider_id), one.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How long to leave the provider alone after an error, and whether that was a failure of it."""

    length: timedelta
    is_failure: bool = True


def pause_after(error: Exception, *, failures: int, check_interval: timedelta) -> Pause:
    """`failures` came before this one, in a row. The first is tried again at once, by a worker."""
    match error:
        case RateLimited():
            return Pause(length=min(error.retry_after or SHORTEST_PAUSE, LONGEST_RATE_LIMIT), is_failure=False)
        case TryLater():
            backoff = min(SHORTEST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE) if failures else timedelta(0)
            return Pause(length=max(backoff, min(error.retry_after or timedelta(0), LONGEST_RATE_LIMIT)))
        case CredentialsRefused():
            return Pause(length=max(CREDENTIALS_PAUSE, check_interval))
    return Pause(length=check_interval)


def concerns_one(error: ConnectorError) -> bool:
    """Whether the next registration may fare better than this one."""
    if isinstance(error, CredentialsRefused | RateLimited):
        return False
    return not isinstance(error, TryLater) or error.status is not None

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config import celery  # noqa: F401  # the broker that configuration changes ring at
from connectors import registry
from connectors.sandbox import Sandbox
from instances import provisioning
from instances.models import Instance, User

CREDENTIALS = ("company", "public.key", "private.key")


@pytest.fixture
def sandbox():
    with Sandbox.start(contacts=12, companies=3, tickets=8) as running:
        # Stamps of the seeded records lie years back; time stands still unless a test moves it.
        running.clock.freeze()
        yield running


@pytest.fixture
def connect(owner):
    """Creates an instance that polls `sandbox`, as the API does; `sent` is laid over its configuration."""

    def create(sandbox: Sandbox, *, user: User | None = None, **sent: Any) -> Instance:
        return provisioning.create(
            user=user or owner,
            element=registry.element("connectwisecrmrest"),
            name="CRM",
            configuration={**configuration_for(sandbox), **sent},
        )

    return create


@pytest.fixture
def instance(connect: Callable[..., Instance], sandbox: Sandbox) -> Instance:
    """Polls the contacts of the sandbox every minute."""
    return connect(sandbox, **polling("contacts"))


def configuration_for(sandbox: Sandbox) -> dict[str, object]:
    return {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
        "event.notification.enabled": True,
        "event.notification.callback.url": "http://127.0.0.1:8009/callback",
        "event.poller.refresh_interval": 1,
        "event.poller.configuration": ["contacts"],
    }


def polling(*resources: str) -> dict[str, object]:
    return {"event.poller.configuration": list(resources)}

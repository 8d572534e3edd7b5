from __future__ import annotations

import pytest

from instances.models import Instance
from instances.signals import instance_configured


@pytest.fixture
def announced():
    """What `provisioning` told the apps to its left, in order."""
    told = []

    def remember(*, instance, baseline, starts_over, **_signal):
        told.append((instance.pk, baseline, starts_over))

    instance_configured.connect(remember)
    yield told
    instance_configured.disconnect(remember)


@pytest.fixture
def created(api, body) -> Instance:
    """The owner's instance, created over HTTP, events off."""
    return Instance.objects.get(pk=api.post("/instances", body).json()["id"])


@pytest.fixture
def listening(api, body) -> Instance:
    """The owner's instance, created over HTTP, its three resources polled."""
    body["configuration"] = body["configuration"] | {"event.notification.enabled": True}
    return Instance.objects.get(pk=api.post("/instances", body).json()["id"])

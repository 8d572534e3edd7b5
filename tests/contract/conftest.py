"""One platform for each module, on a real port; its rows are committed, and gone when the module ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.servers.basehttp import WSGIRequestHandler
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

import config.celery  # noqa: F401  # makes the project's application the current one, as every process does
from connectors.sandbox import Sandbox
from events import doorbell, verification
from instances.accounts import create_account
from tests.contract.platform import CRM, HELP_DESK, KEY, Account, Platform
from tests.events.sink import Sink

EVENTS = {"event.notification.enabled": True, "event.notification.signature.key": KEY}


@pytest.fixture(scope="module")
def db(django_db_setup: Any, django_db_blocker: Any) -> Iterator[None]:
    """Without a transaction around each test: the server commits, and tests look at what it committed."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def platform(db: None) -> Iterator[Platform]:
    """An owner with an instance of each element, events on, and a stranger who has none."""
    # An answer goes out in two packets; the second would wait for the client's word about the first.
    WSGIRequestHandler.disable_nagle_algorithm = True
    server = LiveServer("127.0.0.1")
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    try:
        with (
            Sandbox.start(contacts=30, companies=8, tickets=15) as sandbox,
            Sink() as sink,
            override_settings(PUBLIC_URL=server.url, PASSWORD_HASHERS=hashers),
        ):
            verification.KEYS.forget()
            doorbell.DELIVERIES.answer()
            doorbell.CALLBACKS.answer()
            made = _platform(server.url, sandbox, sink)
            for key in (CRM, HELP_DESK):
                url = {"event.notification.callback.url": f"{sink.url}/{key}"}
                made.instances[key] = made.create(key, name=key, **EVENTS, **url)
            yield made
            # The server's threads, with their connections to the database, last as long as these.
            made.session.close()
            made.stranger.session.close()
    finally:
        server.stop()


def _platform(url: str, sandbox: Sandbox, sink: Sink) -> Platform:
    owner = create_account(organization_name="Acme", login="owner@example.com", password="good enough 1")
    other = create_account(organization_name="Elsewhere", login="stranger@example.com", password="good enough 2")
    return Platform(
        url=url,
        user_secret=owner.user_secret,
        organization_secret=owner.organization_secret,
        sandbox=sandbox,
        sink=sink,
        stranger=Account(url=url, user_secret=other.user_secret, organization_secret=other.organization_secret),
    )

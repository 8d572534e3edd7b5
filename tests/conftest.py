"""What every test may ask for."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import hypothesis
import pytest
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate

from connectors.sandbox import Sandbox
from instances.models import User
from tests.api_client import Api
from tests.factories import UserFactory

# Enough to find in a few runs what is wrong at all; every run draws others. Where more are due, the test says so.
hypothesis.settings.register_profile("suite", max_examples=25)
hypothesis.settings.load_profile("suite")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of collected tests stay until the end: the garbage collector need not look through them every time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """After a test that commits, tables are emptied: Django's own permissions, which nobody asks, stay away then."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    DatabaseOperations.sql_flush = by_deleting  # type: ignore[assignment]


def by_deleting(operations: DatabaseOperations, style: Any, tables: Sequence[str], **_options: Any) -> list[str]:
    """TRUNCATE makes new files for every table and index; of the few rows of a test, DELETE is rid in no time."""
    deletions = [f"DELETE FROM {operations.quote_name(table)}" for table in tables]
    # Without looking after foreign keys: everything goes.
    return ["SET session_replication_role = replica", *deletions, "SET session_replication_role = DEFAULT"]


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def static_files_looked_for_when_asked(settings):
    """Every test client would list them all when it makes its first call."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def owner(db) -> User:
    return UserFactory.create(email="owner@example.com")


@pytest.fixture
def colleague(owner) -> User:
    """Of the owner's organization."""
    return UserFactory.create(email="colleague@example.com", organization=owner.organization)


@pytest.fixture
def stranger(db) -> User:
    """Of an organization of their own."""
    return UserFactory.create(email="stranger@example.com")


@pytest.fixture
def api(owner) -> Api:
    """The API as the owner calls it."""
    return Api(owner)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A small ConnectWise of this test's own, on loopback."""
    with Sandbox.start(contacts=20, companies=5, tickets=10) as running:
        yield running


@pytest.fixture
def credentials(sandbox) -> dict[str, str]:
    """What `connectwisecrmrest` needs to talk to the sandbox."""
    return {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
    }


@pytest.fixture
def body(credentials) -> dict[str, Any]:
    """What a client posts to create an instance, events off."""
    return {"element": {"key": "connectwisecrmrest"}, "name": "Acme", "configuration": credentials}

"""What every test may ask for."""

from __future__ import annotations

import pytest

from instances.models import User
from tests.api_client import Api
from tests.factories import UserFactory


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


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

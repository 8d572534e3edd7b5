from __future__ import annotations

import pytest
from django.test import Client

from instances.models import User
from tests.factories import UserFactory


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def console(owner) -> Client:
    """The console as the owner sees it."""
    return signed_in(owner)


@pytest.fixture
def viewer(owner) -> Client:
    """The console as a viewer of the owner's organization sees it."""
    return signed_in(UserFactory.create(organization=owner.organization, role=User.VIEWER))


@pytest.fixture
def strange(stranger) -> Client:
    """The console as the owner of another organization sees it."""
    return signed_in(stranger)

"""What a role lets people do: one answer for the API and the console.

A viewer sees how things go. Secrets and what customers' records hold are not theirs to see, and nothing is theirs to
change. Superusers run the platform and may do everything.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from instances.models import User

Anybody = User | AnonymousUser


def may_operate(user: Anybody) -> bool:
    """Create, change, switch, redeliver: owners and operators."""
    return _has_role(user, User.OWNER, User.OPERATOR)


def may_see_bodies(user: Anybody) -> bool:
    """Notifications, callbacks, records and answers of receivers, which hold what customers' records hold."""
    return _has_role(user, User.OWNER, User.OPERATOR)


def may_see_secrets(user: Anybody) -> bool:
    """Tokens of instances, which open the provider account behind them."""
    return _has_role(user, User.OWNER, User.OPERATOR)


def may_administer(user: Anybody) -> bool:
    """Settings and people of the organization, and who did what: owners."""
    return _has_role(user, User.OWNER)


def _has_role(user: Anybody, *roles: str) -> bool:
    return user.is_active and (user.is_superuser or getattr(user, "role", "") in roles)

"""Whom the failure of a poll is charged to."""

from __future__ import annotations

from connectors.budgets import Budget
from connectors.errors import ConnectorError, CredentialsRefused, OwnFault, PermissionRefused


def budget_of(error: BaseException) -> Budget:
    """What is none of the provider's answers is a fault of ours, also where we do not know it yet."""
    match error:
        case OwnFault():
            return Budget.OWN
        case CredentialsRefused() | PermissionRefused():
            return Budget.CREDENTIALS
        case ConnectorError():
            return Budget.PROVIDER_READ
        case _:
            return Budget.OWN

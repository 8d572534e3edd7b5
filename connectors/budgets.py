"""Whom a failure is charged to. Each budget is used up by failures of its own kind, never by those of another."""

from __future__ import annotations

from enum import StrEnum


class Budget(StrEnum):
    PROVIDER_READ = "provider_read"
    """The provider did not answer, or not usably: polling of a resource stops after very many in a row."""
    CREDENTIALS = "credentials"
    """The provider refuses the credentials: nothing is asked until they are others."""
    RECEIVER = "receiver"
    """A callback URL did not take a notification: its retries go by the schedule and come to an end."""
    OWN = "own"
    """Our own machine, database, name server or mistake: it is tried again until we have put it right."""

"""The vocabulary of provider callbacks: how an element registers them, tells whose they are, and understands them.

Nothing here knows a database. `events` decides when to do what; an element says how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from connectors.change import Change

if TYPE_CHECKING:
    from connectors.connection import Connection


class InvalidCallbackTypes(ValueError):
    """`event.callback.types` cannot be understood. The message names the part and what it should be."""


class CallbackRefused(Exception):
    """This is not from the provider, or nothing proves that it is. The message is the reason that people read."""


class CannotStandardize(Exception):
    """A callback that says nothing we understand. It is kept with this reason, and can be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCallback:
    """One registration as it should be: what the provider is to tell us about. All three in the provider's words."""

    type: str
    """Lower case: `ticket`."""
    level: str
    """Lower case: `owner` is everything of the type."""
    object_id: str
    """Of the status, board, company ... that the level names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCallback:
    """One registration as the provider has it."""

    provider_id: str
    wanted: WantedCallback
    url: str
    is_active: bool
    """False: the provider has disabled it, or somebody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundCallback:
    """What was posted to us, unchanged."""

    body: bytes = field(repr=False)
    signature: str = field(default="", repr=False)
    """The value of `Callbacks.signature_header`; empty: it came without."""
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardizedCallback:
    """What a callback says, in our words."""

    message_id: str
    """The provider's own id of this message; empty where it has none."""
    changes: tuple[Change, ...]
    """`raw` is the provider's body, whole. `content_hash` covers the action and the record that came along.

    `version` is the record's own stamp, `change.DELETED_VERSION` for a deletion, and empty where the callback says
    neither: then the record has to be read to learn it.
    """


class Callbacks(Protocol):
    """What an element that gets callbacks can do. Calls to the provider raise the errors of `connectors.errors`."""

    @property
    def signature_header(self) -> str:
        """Lower case."""

    @property
    def busy_status(self) -> int:
        """The status to answer with when we cannot take a callback: one that makes the provider try again."""

    def wanted(self, text: str) -> tuple[WantedCallback, ...]:
        """`event.callback.types` understood; empty text is the element's default. Raises InvalidCallbackTypes."""

    def covered_resources(self, wanted: Sequence[WantedCallback]) -> frozenset[str]:
        """Resources of which these callbacks tell every change: polling them reports nothing that is not wanted."""

    def wanted_object_types(self, wanted: Sequence[WantedCallback]) -> frozenset[str]:
        """The object types that changes have of which these callbacks tell."""

    def url(self, address: str) -> str:
        """What to register for callbacks to arrive at `address`, an URL without a query."""

    def registered(self, connection: Connection, *, marker: str) -> list[RegisteredCallback]:
        """The provider's registrations whose URL contains `marker`, disabled ones too."""

    def register(
        self, connection: Connection, wanted: WantedCallback, *, url: str, description: str
    ) -> RegisteredCallback:
        """Raises AlreadyRegistered where an equal one exists."""

    def rearm(self, connection: Connection, *, provider_id: str) -> None:
        """Let a disabled registration send again."""

    def remove(self, connection: Connection, *, provider_id: str) -> None:
        """Take a registration back; one that is gone already is fine."""

    def accounts(self, callback: InboundCallback) -> tuple[str, ...]:
        """Names of provider accounts (`Connection.account()`) that the body says it may be from. It proves nothing."""

    def refuse_another_company(self, callback: InboundCallback, connection: Connection) -> None:
        """For callbacks without a signature: raises CallbackRefused where the body names another provider account."""

    def key_url(self, callback: InboundCallback, connection: Connection) -> str:
        """Where the provider keeps the key that this callback is signed with.

        Asks nobody. Raises CallbackRefused for an address that is not the connection's own provider and company.
        """

    def signing_key(self, answer: bytes) -> str:
        """The key out of what `key_url` answered. Raises UnusableAnswer."""

    def is_signed_with(self, callback: InboundCallback, key: str) -> bool:
        """Whether the signature holds for the raw body; compares in constant time."""

    def standardize(self, callback: InboundCallback) -> StandardizedCallback:
        """Raises CannotStandardize."""

    def stamp(self, record: Mapping[str, Any]) -> tuple[str, datetime | None]:
        """A hub record's own stamp, as text and as a moment; empty and None where it has none."""

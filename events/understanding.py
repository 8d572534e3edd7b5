"""What one callback says: verified, standardized, and with the stamps of its records. Asks the provider if need be."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from connectors import egress, hub
from connectors.callbacks import CallbackRefused, Callbacks, CannotStandardize
from connectors.change import DELETED, DELETED_VERSION, Change
from connectors.connection import Connection
from connectors.errors import ConnectorError, OwnFault, RecordNotFound, TryLater
from connectors.records import Record
from events.callback_changes import unstamped_version
from events.callback_claims import Claim, Ended
from events.models import Callback
from events.verification import Keys, KeyUnavailable, verify
from instances.configuration import connection_with, pollers_of
from instances.encryption import KeyMissing
from instances.models import Instance

logger = logging.getLogger(__name__)

ATTEMPTS = 20
KEY_UNKNOWN_ATTEMPTS = 3
"""So often a key is asked for that the provider says it has not."""
OWN_FAULT_WAIT = timedelta(minutes=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=5)
READ_SECONDS = 30.0
"""For one record, all its requests together."""
KNOWN_FOR = timedelta(days=29)
"""For so long after it was received a callback is known to the ledger when a poll told of the same: it remembers a day
more. After that a poll has told of it, and it would be told twice."""
TOO_OLD = "it waited too long; polls have answered for it"
NOT_WANTED = "not wanted by event.callback.types"
NO_RECORD = "NotFound"
"""The provider's code for a record that is not there."""
NOT_THERE = "the record is not there; whether it was deleted is asked once more"
NOT_THERE_WAIT = timedelta(seconds=5)
OWN_FAULT = "A fault of ours; the log has it."
_FAULTS = (OWN_FAULT, "A fault of ours, twice; the log has it.")
"""Why a callback waits, by how often our code has failed with it; it is parked the next time."""
NO_CALLBACKS = "this element understands no callbacks"
# What the ledger has room for; a version may get `#` and 16 digits more.
LONGEST_TYPE, LONGEST_ID, LONGEST_VERSION = 64, 255, 96 - 17
LONGEST_MESSAGE_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A callback whose changes can be recorded."""

    claim: Claim
    message_id: str
    changes: tuple[Change, ...]
    """Each with a version."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A callback that waits, is refused or parked, or is done without an event."""

    ended: Ended
    is_lost: bool = False
    """It may have been genuine, and its key could not be fetched for good."""
    about: tuple[Change, ...] = ()
    """What it tells of, where that is known; without versions, perhaps."""

    @property
    def claim(self) -> Claim:
        return self.ended.claim


class _NotThere(Exception):
    """A record was not found, for the first time."""


class Understanding:
    """For the callbacks of one instance at one moment: each record is read once, and no provider asked in vain twice.

    No transaction may be open.
    """

    def __init__(self, instance: Instance, *, keys: Keys) -> None:
        self._instance = instance
        self._keys = keys
        self._connection: Connection | None = None
        self._records: dict[tuple[str, str], Record | None] = {}
        self._trouble: TryLater | None = None
        self._about: tuple[Change, ...] = ()
        """What the callback at hand tells of, once that is known."""

    def of(self, claim: Claim) -> Understood | NotUnderstood:
        self._about = ()
        result = self._of(claim)
        return replace(result, about=self._about) if isinstance(result, NotUnderstood) else result

    def _of(self, claim: Claim) -> Understood | NotUnderstood:
        try:
            return self._understood(claim)
        except CallbackRefused as error:
            return NotUnderstood(_ended(claim, Callback.REFUSED, str(error)))
        except KeyUnavailable as error:
            return _without_key(claim, error)
        except CannotStandardize as error:
            return NotUnderstood(_ended(claim, Callback.PARKED, str(error)))
        except _NotThere:
            return NotUnderstood(replace(_ended(claim, Callback.WAITING, NOT_THERE), wait=NOT_THERE_WAIT))
        except ConnectorError as error:
            return NotUnderstood(_tried(claim, error))
        except KeyMissing as error:
            logger.exception("configuration not readable", extra={"instance": self._instance.pk})
            return NotUnderstood(_set_back(claim, str(error), wait=OWN_FAULT_WAIT))
        except Exception:
            logger.exception(
                "callback failed by a fault of ours",
                extra={"callback": claim.callback_id, "instance": self._instance.pk},
            )
            return fault(claim)

    def _understood(self, claim: Claim) -> Understood | NotUnderstood:
        callbacks = self._instance.element.callbacks
        if callbacks is None:
            raise CannotStandardize(NO_CALLBACKS)
        connection = self._connection = self._connection or _in_its_words(self._instance)
        is_signed = verify(
            claim.inbound,
            callbacks=callbacks,
            connection=connection,
            account=self._instance.provider_account,
            accepts_unsigned=claim.accepts_unsigned,
            received_at=claim.received_at,
            keys=self._keys,
        )
        said = callbacks.standardize(claim.inbound)
        self._about = tuple(said.changes)
        message_id = _kept_message_id(said.message_id)
        if reason := self._no_event(claim, said.changes, callbacks=callbacks, is_signed=is_signed):
            return NotUnderstood(_ended(claim, Callback.DONE, reason))
        unstamped = unstamped_version(message_id=message_id, body=claim.inbound.body, received_on=claim.received_on)
        changes = tuple(
            change
            if change.version
            else self._stamped(change, claim, callbacks=callbacks, connection=connection, is_signed=is_signed)
            or replace(change, version=unstamped)
            for change in said.changes
        )
        for change in changes:
            _check_fits(change)
        return Understood(claim=claim, message_id=message_id, changes=changes)

    def _no_event(self, claim: Claim, changes: Sequence[Change], *, callbacks: Callbacks, is_signed: bool) -> str:
        """Why a genuine callback comes to no event; empty if it may be one."""
        if not changes:
            return ""
        if is_signed:
            wanted = callbacks.wanted_object_types(callbacks.wanted(self._instance.callback_types))
            if all(change.object_type not in wanted for change in changes):
                return NOT_WANTED
        if claim.age > KNOWN_FOR:
            # The ledger never forgets that an object was deleted, and no poll can tell.
            polled = pollers_of(self._instance)
            if all(change.object_type in polled and change.version != DELETED_VERSION for change in changes):
                return TOO_OLD
        return ""

    def _stamped(
        self, change: Change, claim: Claim, *, callbacks: Callbacks, connection: Connection, is_signed: bool
    ) -> Change | None:
        """The change with what its record says now; None where nothing can say when it was."""
        if all(resource.name != change.object_type for resource in connection.element.resources):
            return None
        try:
            record = self._read(connection, change.object_type, change.object_id)
        except RecordNotFound as error:
            if is_signed or error.status is not None:
                raise
            # Nobody was asked: it can be no id.
            record = None
        if record is None:
            if not is_signed:
                # Somebody tries things out, with a record that there never was.
                return None
            if claim.reason != NOT_THERE:
                # It may not be visible yet. What was deleted is still not there a little later.
                raise _NotThere
            return replace(change, event_type=DELETED, version=DELETED_VERSION, changed_at=None)
        version, changed_at = callbacks.stamp(record.fields)
        return replace(change, version=version, changed_at=changed_at) if version else None

    def _read(self, connection: Connection, object_type: str, object_id: str) -> Record | None:
        """None: it is not there. Any other 404 is raised: it may mean a wrong address or wrong keys."""
        if (object_type, object_id) in self._records:
            return self._records[object_type, object_id]
        if self._trouble is not None:
            raise self._trouble
        record: Record | None = None
        try:
            with egress.deadline(READ_SECONDS):
                record = hub.get(connection, object_type, object_id)
        except RecordNotFound as error:
            if NO_RECORD not in error.codes:
                raise
        except TryLater as error:
            # The next record would not be had either, and each would take its time.
            self._trouble = error
            raise
        self._records[object_type, object_id] = record
        return record


def _in_its_words(instance: Instance) -> Connection:
    """Callbacks speak of the element's resources, also where the instance has something of its own by the same name."""
    return connection_with(instance.element, instance.configuration_encrypted, filters_nulls=instance.filters_nulls)


def fault(claim: Claim) -> NotUnderstood:
    """What becomes of a callback that none of our code expected. What the provider may fail is not used up by it."""
    tried = _FAULTS.index(claim.reason) + 1 if claim.reason in _FAULTS else 0
    if tried == len(_FAULTS):
        return NotUnderstood(_ended(claim, Callback.PARKED, OWN_FAULT))
    return NotUnderstood(_set_back(claim, _FAULTS[tried], wait=backoff(tried)))


def backoff(attempts_made: int) -> timedelta:
    """How long to wait after so many attempts without success, this one not counted."""
    return min(FIRST_WAIT * (1 << min(attempts_made, 16)), LONGEST_WAIT)


def _without_key(claim: Claim, error: KeyUnavailable) -> NotUnderstood:
    if not error.counts:
        assert error.wait is not None, "what is no attempt says how long to wait"
        return NotUnderstood(_set_back(claim, str(error), wait=error.wait))
    attempts = claim.attempts_made + 1
    if attempts >= ATTEMPTS or (error.is_unknown and attempts >= KEY_UNKNOWN_ATTEMPTS):
        # A forger can name a key that there is not, as often as he likes: nothing is lost with that.
        return NotUnderstood(_ended(claim, Callback.REFUSED, str(error)), is_lost=not error.is_unknown)
    return NotUnderstood(_waiting(claim, str(error), not_before=error.wait))


def _tried(claim: Claim, error: ConnectorError) -> Ended:
    said = f" ({error.provider_message})" if error.provider_message else ""
    reason = f"the record cannot be read: {error}{said}"
    if isinstance(error, OwnFault):
        return _set_back(claim, reason, wait=OWN_FAULT_WAIT)
    if claim.attempts_made + 1 >= ATTEMPTS:
        return _ended(claim, Callback.PARKED, reason)
    return _waiting(claim, reason, not_before=error.retry_after if isinstance(error, TryLater) else None)


def _set_back(claim: Claim, reason: str, *, wait: timedelta) -> Ended:
    """It waits, and that counts as no attempt."""
    return Ended(claim=claim, state=Callback.WAITING, reason=reason, attempts_made=claim.attempts_made, wait=wait)


def _ended(claim: Claim, state: str, reason: str) -> Ended:
    return Ended(claim=claim, state=state, reason=reason, attempts_made=claim.attempts_made + 1)


def _waiting(claim: Claim, reason: str, *, not_before: timedelta | None = None) -> Ended:
    wait = max(backoff(claim.attempts_made), not_before or timedelta(0))
    return replace(_ended(claim, Callback.WAITING, reason), wait=wait)


def _kept_message_id(message_id: str) -> str:
    if len(message_id) <= LONGEST_MESSAGE_ID and "\x00" not in message_id:
        return message_id
    return hashlib.blake2b(message_id.encode(errors="surrogatepass"), digest_size=LONGEST_MESSAGE_ID // 2).hexdigest()


def _check_fits(change: Change) -> None:
    """Raises CannotStandardize for what the ledger has no room for: no provider's id or stamp is so."""
    for name, text, longest in (
        ("object type", change.object_type, LONGEST_TYPE),
        ("object id", change.object_id, LONGEST_ID),
        ("version", change.version, LONGEST_VERSION),
    ):
        if not text or len(text) > longest or not text.isprintable():
            raise CannotStandardize(f"its {name} is empty, too long or no text")

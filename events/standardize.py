"""The drain of callbacks: claim what waits, verify and understand it, record what is new, until nothing is due.

Any number of drains run side by side. One that is killed leaves its claims behind, and they are taken again when
their lease ends; the ledger makes the repetition harmless. While the provider is asked no transaction is open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import InterfaceError, OperationalError, transaction

from connectors.change import Change
from connectors.element import WEBHOOK
from events import callback_changes, callback_claims, callback_decisions, decisions, doorbell, ledger, suspicion
from events.callback_changes import Decisions, Told
from events.callback_claims import Claim, Ended
from events.models import Callback, Event
from events.record import record
from events.understanding import NotUnderstood, Understanding, Understood, fault
from events.verification import KEYS, Keys
from instances.models import Instance

logger = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 200
ASKING_SECONDS = 20.0
"""After its claim; later, what nobody has looked at is given back. With one more request it fits into the lease."""
Result = Understood | NotUnderstood
PAUSE = timedelta(seconds=2)
UNSIGNED_PARKED = 1_000
"""Of each instance; those with a signature are kept whatever their number."""
NO_ROOM = f"{UNSIGNED_PARKED:,} unsigned callbacks are parked already"
KEY_LOST = "The keys that callbacks are signed with could not be fetched"


@dataclass(slots=True)
class Drained:
    """What one drain did: callbacks by what became of them, and changes recorded."""

    done: int = 0
    refused: int = 0
    parked: int = 0
    waiting: int = 0
    changes: int = 0

    def count(self, ended: Sequence[Ended]) -> None:
        for one in ended:
            setattr(self, one.state, getattr(self, one.state) + 1)


def drain(*, is_stopping: Callable[[], bool] = lambda: False, keys: Keys = KEYS) -> Drained:
    """Standardize everything that is due. Once `is_stopping` says so, end soon and give the rest back.

    Raises OperationalError or InterfaceError when the database is gone; the leases then end by themselves.
    """
    # Whatever is committed from here on rings again, so it needs not be seen by the claims below.
    doorbell.CALLBACKS.answer()
    drained = Drained()
    while not is_stopping() and (claims := callback_claims.claim(limit=CLAIMED_AT_ONCE)):
        _Batch(claims, is_stopping=is_stopping, keys=keys, drained=drained).run()
    if drained != Drained():
        logger.info(
            "callbacks drained",
            extra={name: getattr(drained, name) for name in ("done", "refused", "parked", "waiting", "changes")},
        )
    return drained


class _Batch:
    """Claims of one moment, by instance."""

    def __init__(
        self, claims: Sequence[Claim], *, is_stopping: Callable[[], bool], keys: Keys, drained: Drained
    ) -> None:
        self._left = {claim.callback_id: claim for claim in sorted(claims, key=lambda claim: claim.callback_id)}
        self._stop_at = time.monotonic() + ASKING_SECONDS
        self._is_stopping = is_stopping
        self._keys = keys
        self._drained = drained

    def run(self) -> None:
        groups: dict[int, list[Claim]] = {}
        for claim in self._left.values():
            groups.setdefault(claim.instance_id, []).append(claim)
        try:
            instances = Instance.objects.in_bulk(groups)
            for instance_id in sorted(groups):
                if self._has_to_end():
                    break
                # An instance that was deleted took its callbacks along.
                if (instance := instances.get(instance_id)) is not None:
                    self._take(instance, groups[instance_id])
        finally:
            with suppress(OperationalError, InterfaceError):
                callback_claims.release(self._left.values())

    def _has_to_end(self) -> bool:
        return self._is_stopping() or time.monotonic() > self._stop_at

    def _take(self, instance: Instance, claims: Sequence[Claim]) -> None:
        """Look at the callbacks of one instance, as far as there is time, and write down what came of it."""
        understanding = Understanding(instance, keys=self._keys)
        results: list[Result] = []
        for claim in claims:
            if self._has_to_end():
                break
            results.append(understanding.of(claim))
        self._write(instance, results)

    def _write(self, instance: Instance, results: Sequence[Result]) -> None:
        """In one commit; where that fails by one of them, in several, so that its neighbours get through."""
        if not results:
            return
        try:
            with transaction.atomic():
                written, change_count = _settle(instance, results)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            if len(results) > 1:
                middle = len(results) // 2
                self._write(instance, results[:middle])
                self._write(instance, results[middle:])
                return
            (one,) = results
            logger.exception(
                "callback failed by a fault of ours",
                extra={"callback": one.claim.callback_id, "instance": instance.pk},
            )
            if isinstance(one, Understood):
                self._write(instance, [fault(one.claim)])
            else:
                # Not even that can be written down: it is taken again when its lease ends.
                del self._left[one.claim.callback_id]
            return
        for result in results:
            del self._left[result.claim.callback_id]
        self._drained.count(written)
        self._drained.changes += change_count
        _log(instance, written)


def _settle(instance: Instance, results: Sequence[Result]) -> tuple[list[Ended], int]:
    """Record what is new and write down what became of the callbacks. Returns that and the number of changes.

    Locks are taken in one order by everybody: instance, turn, callbacks, ledger, subscriptions, inbox.
    """
    callback_claims.take_turn(instance_id=instance.pk)
    ours = callback_claims.hold([one.claim for one in results])
    results = [one for one in results if one.claim.callback_id in ours]
    current = Instance.objects.filter(pk=instance.pk).first()
    if current is None or not results:
        return [], 0
    if not current.is_events_enabled or current.event_method != WEBHOOK:
        callback_claims.drop([one.claim for one in results])
        decisions.note(instance_id=instance.pk, decided=callback_decisions.events_off(results))
        logger.info("callbacks dropped, events are off", extra={"instance": instance.pk, "callbacks": len(results)})
        return [], 0
    were_judged_otherwise = (current.provider_account, current.callback_types) != (
        instance.provider_account,
        instance.callback_types,
    )
    if current.is_disabled or were_judged_otherwise:
        # It keeps what waits until it is enabled; or, they were verified as another account's or of other types.
        written = [_untouched(one.claim) for one in results]
        callback_claims.write(written)
        return written, 0
    understood = [one for one in results if isinstance(one, Understood)]
    decided = _record(current, understood)
    written = _with_room([one.ended for one in results if isinstance(one, NotUnderstood)], instance_id=current.pk)
    refused = [one for one in written if one.state == Callback.REFUSED]
    written += [
        Ended(
            claim=one.claim,
            state=Callback.DONE,
            reason=callback_changes.REPEAT if one.claim.callback_id in decided.repeats else "",
            message_id=one.message_id,
            attempts_made=one.claim.attempts_made + 1,
        )
        for one in understood
    ]
    callback_claims.write(written)
    decisions.note(
        instance_id=current.pk, decided=callback_decisions.without_event(results, written, repeats=decided.repeats)
    )
    if refused:
        callback_claims.count_refused(refused, instance_id=instance.pk)
    if any(one.is_lost for one in results if isinstance(one, NotUnderstood)):
        suspicion.open_window(instance_ids=[instance.pk], reason=KEY_LOST)
    return written, len(decided.changes)


def _with_room(ended: Sequence[Ended], *, instance_id: int) -> list[Ended]:
    """The same with unsigned callbacks refused that there is no room to park: anybody may send these."""
    if not any(_is_parked_unsigned(one) for one in ended):
        return list(ended)
    room = UNSIGNED_PARKED - callback_claims.parked_unsigned(instance_id=instance_id, limit=UNSIGNED_PARKED)
    kept: list[Ended] = []
    for one in ended:
        if _is_parked_unsigned(one):
            room -= 1
            if room < 0:
                one = replace(one, state=Callback.REFUSED, reason=f"{NO_ROOM}; this one: {one.reason}")
        kept.append(one)
    return kept


def _is_parked_unsigned(ended: Ended) -> bool:
    return ended.state == Callback.PARKED and not ended.claim.inbound.signature


def _untouched(claim: Claim) -> Ended:
    return Ended(claim=claim, state=Callback.WAITING, attempts_made=claim.attempts_made, wait=PAUSE)


def _record(instance: Instance, understood: Sequence[Understood]) -> Decisions:
    changes = [change for one in understood for change in one.changes]
    decided = callback_changes.decide_all(
        [Told(callback_id=one.claim.callback_id, message_id=one.message_id, changes=one.changes) for one in understood],
        seen=_seen(instance, changes),
        done=callback_claims.done_messages(
            instance_id=instance.pk, message_ids={one.message_id for one in understood} - {""}
        ),
    )
    if decided.changes:
        record(instance=instance, changes=decided.changes, source=Event.WEBHOOK, polled_at=None)
    # A poll that committed since the ledger was read has some of them first: then `record` passed over them.
    told = [*decided.repeated, *callback_changes.identities(decided.changes)]
    ledger.told_too(instance_id=instance.pk, identities=list(dict.fromkeys(told)))
    return decided


def _seen(instance: Instance, changes: Sequence[Change]) -> callback_changes.Ledger:
    ids: dict[str, set[str]] = {}
    for change in changes:
        ids.setdefault(change.object_type, set()).add(change.object_id)
    return {
        (object_type, object_id): versions
        for object_type, object_ids in ids.items()
        for object_id, versions in ledger.seen(
            instance_id=instance.pk, object_type=object_type, object_ids=sorted(object_ids)
        ).items()
    }


def _log(instance: Instance, written: Sequence[Ended]) -> None:
    for state, line in ((Callback.REFUSED, "callbacks refused"), (Callback.PARKED, "callbacks parked")):
        if some := [one for one in written if one.state == state]:
            extra = {"instance": instance.pk, "callbacks": len(some), "reason": some[-1].reason}
            logger.info(line, extra=extra)

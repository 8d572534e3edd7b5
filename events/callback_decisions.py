"""What is noted about callbacks that became no event: by object, so that it can be found by whoever asks about one.

Not about those that are refused: anybody can send them, and the newest are kept with their bodies. Nor about those
that wait, which have their bodies, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from connectors.change import Change
from events import decisions
from events.callback_claims import Claim, Ended
from events.decisions import Decided
from events.models import Callback, Event
from events.understanding import TOO_OLD, NotUnderstood, Understood

OFF = "events were switched off when the callback was looked at"
KNOWN = "the ledger had all of it already, by a poll or by another callback"


def events_off(results: Iterable[Understood | NotUnderstood]) -> list[Decided]:
    """About callbacks that are dropped because nobody listens any more."""
    return [
        decided
        for one in results
        for decided in _about(one.claim, _changes(one), decision=decisions.EVENTS_OFF, reason=OFF)
    ]


def without_event(
    results: Iterable[Understood | NotUnderstood], written: Iterable[Ended], *, repeats: Collection[int]
) -> list[Decided]:
    """About those that told nothing new (`repeats`), that are of no event, or that are parked, as was `written`."""
    ended = {one.claim.callback_id: one for one in written}
    return [decided for one in results for decided in _without_event(one, ended[one.claim.callback_id], repeats)]


def _without_event(one: Understood | NotUnderstood, ended: Ended, repeats: Collection[int]) -> Iterator[Decided]:
    if isinstance(one, Understood):
        if one.claim.callback_id in repeats:
            yield from _about(one.claim, one.changes, decision=decisions.SEEN_BEFORE, reason=KNOWN)
    elif ended.state == Callback.DONE:
        decision = decisions.TOO_OLD if ended.reason == TOO_OLD else decisions.NOT_WANTED
        yield from _about(one.claim, one.about, decision=decision, reason=ended.reason)
    elif ended.state == Callback.PARKED:
        yield from _about(one.claim, one.about, decision=decisions.PARKED, reason=ended.reason)


def _changes(one: Understood | NotUnderstood) -> tuple[Change, ...]:
    return one.changes if isinstance(one, Understood) else one.about


def _about(claim: Claim, changes: Iterable[Change], *, decision: str, reason: str) -> Iterator[Decided]:
    for change in changes:
        yield Decided(
            object_type=change.object_type,
            object_id=change.object_id,
            source=Event.WEBHOOK,
            decision=decision,
            reason=reason,
            callback_id=claim.callback_id,
        )

"""How a receiver is doing, for people who do not know what a circuit is: what happened, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from events import transitions
from events.models import Circuit, Subscription
from instances.console.home import BAD, GOOD, PLAIN, WARNING
from instances.console.moments import absolute
from instances.models import Organization
from instances.retry_schedules import Schedule, schedule_of

HEALTHY, FAILING, LEFT_ALONE, RECOVERING, WAITING = "healthy", "failing", "left alone", "recovering", "asked to wait"
DEACTIVATED, NOWHERE = "deactivated", "no URL"
TONES = {
    HEALTHY: GOOD,
    FAILING: WARNING,
    LEFT_ALONE: BAD,
    RECOVERING: WARNING,
    WAITING: WARNING,
    DEACTIVATED: BAD,
    NOWHERE: PLAIN,
}
KINDS = {
    transitions.OPENED: ("Left alone", BAD),
    transitions.CLOSED: ("Back to normal", GOOD),
    transitions.RECOVERING: ("Takes events again", WARNING),
    transitions.WARNED: ("Warned that it will be deactivated", WARNING),
    transitions.DEACTIVATED: ("Deactivated", BAD),
    transitions.REACTIVATED: ("Reactivated", GOOD),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One word for a list, and sentences for a page."""

    word: str
    sentences: tuple[str, ...]

    @property
    def tone(self) -> str:
        return TONES[self.word]


def word_of(subscription: Subscription, circuit: Circuit | None, *, now: datetime) -> str:
    if subscription.state == Subscription.DEACTIVATED:
        return DEACTIVATED
    if not subscription.url:
        return NOWHERE
    if circuit is None:
        return HEALTHY
    if circuit.state == Circuit.OPEN:
        return LEFT_ALONE
    if circuit.paused_until is not None and circuit.paused_until > now:
        return WAITING
    if circuit.state == Circuit.RECOVERING:
        return RECOVERING
    return FAILING if circuit.failing_since is not None else HEALTHY


def health_of(
    subscription: Subscription, circuit: Circuit | None, *, organization: Organization, now: datetime
) -> Health:
    word = word_of(subscription, circuit, now=now)
    if word == NOWHERE:
        said = ["It has no URL, so nothing is sent: events are there for the API only."]
    elif word == DEACTIVATED:
        said = _deactivated(subscription, circuit, organization)
    elif circuit is None or word == HEALTHY:
        said = ["What happens is sent at once."]
    elif word == LEFT_ALONE:
        said = _left_alone(circuit, now)
    elif word == WAITING:
        assert circuit.paused_until is not None
        said = [
            f"The receiver asked for patience: nothing is sent before {absolute(circuit.paused_until)}. "
            "Then it goes on by itself."
        ]
    elif word == RECOVERING:
        said = [
            f"It has taken an event again. It is sent to slowly at first, twice as fast each second; "
            f"{circuit.recovering_claims:,} so far. When it keeps up, everything is as before."
        ]
    else:
        said = [
            f"{_count(circuit.failures)} failed since {_since(circuit)}. What failed is tried again by itself, "
            "and what is new is still sent at once."
        ]
    if word in (FAILING, LEFT_ALONE) and circuit is not None:
        instance = subscription.instance
        schedule = schedule_of((instance and instance.retry_schedule) or organization.retry_schedule)
        said += _fate(circuit, organization, schedule)
    return Health(word=word, sentences=tuple(said))


def _left_alone(circuit: Circuit, now: datetime) -> list[str]:
    said = [
        f"Nearly everything failed, so it has been left alone since {_at(circuit.opened_at)}: "
        "what happens meanwhile waits here, nothing is lost."
    ]
    if circuit.paused_until is not None and circuit.paused_until > now:
        said.append(f"The receiver asked for patience until {absolute(circuit.paused_until)}.")
    if circuit.next_probe_at is not None and circuit.next_probe_at > now:
        said.append(
            f"One event is tried at {absolute(circuit.next_probe_at)}. If it is taken, the others follow; "
            "if not, the wait doubles."
        )
    else:
        said.append("The next event that is due is tried now. If it is taken, the others follow.")
    return said


def _fate(circuit: Circuit, organization: Organization, schedule: Schedule) -> list[str]:
    if organization.failure_policy != Organization.RETRY:
        return ["The organization's settings say that what fails is queued, not retried."]
    if circuit.failing_since is None:
        return []
    ends_at = circuit.failing_since + schedule.end
    return [f"If nothing is taken until about {absolute(ends_at)}, the subscription is deactivated."]


def _deactivated(subscription: Subscription, circuit: Circuit | None, organization: Organization) -> list[str]:
    said = [f"Nothing is sent: {subscription.deactivated_reason or 'its receiver failed for too long'}."]
    said[0] = said[0].replace("..", ".")
    said.append("What happens meanwhile is queued and kept.")
    if circuit is not None and circuit.state == Circuit.RECOVERING:
        return [*said, "Its receiver has taken an event again: what is queued is being released, then it is active."]
    if circuit is not None and circuit.next_probe_at is not None and organization.failure_policy == Organization.RETRY:
        return [
            *said,
            f"One queued event is tried at {absolute(circuit.next_probe_at)}. If it is taken, the subscription "
            "becomes active and the others follow.",
        ]
    return [*said, "It is not tried by itself: reactivate it when the receiver is back."]


def _count(failures: int) -> str:
    return "The last attempt" if failures == 1 else f"The last {failures:,} attempts"


def _since(circuit: Circuit) -> str:
    return _at(circuit.failing_since)


def _at(moment: datetime | None) -> str:
    return absolute(moment) if moment else "a while ago"

"""One look at a provider on behalf of an inbox: what has to be done there is done, and written down as it goes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connectors import egress, registry
from connectors.callbacks import Callbacks, RegisteredCallback, WantedCallback
from connectors.connection import Connection
from connectors.errors import AlreadyRegistered, ConnectorError, RecordNotFound, TryLater
from events import agreement, inbox_claims, inboxes
from events.inbox_claims import Claim
from events.models import Inbox, Registration
from instances.encryption import KeyMissing

logger = logging.getLogger(__name__)

CALL_SECONDS = 25.0
"""The longest that one call to a provider may take, in all its requests: shorter than the lease."""
SLACK_SECONDS = 0.05

Answer = TypeVar("Answer")


class OutOfTime(Exception):
    """The budget is used up; somebody with more time goes on."""


@dataclass(slots=True)
class Clock:
    ends_at: float

    @classmethod
    def of(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        return self.ends_at - time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one look at the provider came to."""

    problem: str | None
    """For the instance's owner: what is not as it is wanted and why, empty where all is; None: nothing new to say."""
    error: Exception | None = None
    """What may go away by itself, so that it is tried again before the next check."""
    told: str = ""
    """The same for people who look at the inbox."""


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that one round needs, and its calls to the provider."""

    claim: Claim
    clock: Clock
    inbox: Inbox
    callbacks: Callbacks
    connection: Connection
    wanted: tuple[WantedCallback, ...]
    token: str
    url: str

    @classmethod
    def begin(cls, claim: Claim, clock: Clock, inbox: Inbox) -> Self:
        callbacks = registry.element(inbox.element_key).callbacks
        assert callbacks is not None
        return cls(
            claim=claim,
            clock=clock,
            inbox=inbox,
            callbacks=callbacks,
            connection=inboxes.connection_to(inbox),
            wanted=inboxes.wanted_of(inbox),
            token=inboxes.token_of(inbox),
            url=callbacks.url(inboxes.address_of(inbox)),
        )

    def is_reachable(self) -> bool:
        element = self.connection.element
        provider = next((self.connection.configuration.get(one.key) for one in element.fields if one.is_url), None)
        return not provider or egress.can_reach(provider_url=provider, url=settings.PUBLIC_URL)

    def agree(self) -> Outcome:
        """Register and take back until nothing is left to do. What one registration is refused, others may have.

        What is superfluous comes last: it may be what still works, at an address that we had before.
        """
        problems: dict[str, str] = {}
        troubles: list[ConnectorError] = []

        def attempt(one: WantedCallback, act: Callable[[], object], *, is_noted: bool = True) -> None:
            try:
                act()
            except ConnectorError as error:
                if not agreement.concerns_one(error):
                    raise
                if isinstance(error, TryLater):
                    troubles.append(error)
                problems[_name(one)] = without_secrets(self.inbox, error)
                if is_noted:
                    self._note_problem(one, problems[_name(one)])

        plan = self._plan()
        for one in plan.kept:
            self._note(one, is_new=False)
        for wanted in plan.missing:
            self._note_missing(wanted)
        for one in plan.disabled:
            attempt(one.wanted, partial(self._arm_again, one))
        for wanted in plan.missing:
            attempt(wanted, partial(self._register, wanted, replaces=_same(plan.superfluous, wanted)))
        without_replacement = frozenset(problems)
        for one in plan.superfluous:
            if _name(one.wanted) not in without_replacement:
                # The row of what is wanted tells of its replacement.
                attempt(one.wanted, partial(self._take_back, one), is_noted=one.wanted not in self.wanted)
        self._forget_rows(except_for=problems)
        problem = _problem(problems)
        return Outcome(problem=problem, error=troubles[0] if troubles else None, told=problem)

    def _plan(self) -> agreement.Plan:
        found = self._call(lambda: self.callbacks.registered(self.connection, marker=self.token))
        ours = [one for one in found if agreement.is_ours(one, element_key=self.inbox.element_key, token=self.token)]
        return agreement.plan(wanted=self.wanted, found=ours, url=self.url)

    def _take_back(self, one: RegisteredCallback) -> None:
        self._call(lambda: self.callbacks.remove(self.connection, provider_id=one.provider_id))
        with transaction.atomic():
            inbox_claims.hold(self.claim)
            self.inbox.registrations.filter(provider_id=one.provider_id).update(
                state=Registration.MISSING, provider_id="", checked_at=Now()
            )
        logger.info("registration taken back", extra=self._ids(one.wanted))

    def _arm_again(self, one: RegisteredCallback) -> None:
        try:
            self._call(lambda: self.callbacks.rearm(self.connection, provider_id=one.provider_id))
        except RecordNotFound:  # somebody has removed it in between
            self._register(one.wanted)
            return
        logger.info("registration armed again", extra=self._ids(one.wanted))
        self._note(one, is_new=True)

    def _register(self, wanted: WantedCallback, *, replaces: Sequence[RegisteredCallback] = ()) -> None:
        try:
            made = self._make(wanted)
        except AlreadyRegistered:
            # By a run of ours that was cut off, if its request arrived late.
            again = self._plan()
            found = [one for one in (*again.kept, *again.disabled) if one.wanted == wanted]
            if found:
                if not found[0].is_active:
                    self._call(lambda: self.callbacks.rearm(self.connection, provider_id=found[0].provider_id))
                self._note(found[0], is_new=True)
                return
            if not replaces:
                raise
            # A provider that has one of a kind, whatever its address: then the old one has to go first.
            for one in replaces:
                self._take_back(one)
            made = self._make(wanted)
        logger.info("callback registered", extra=self._ids(wanted))
        self._note(made, is_new=True)

    def _make(self, wanted: WantedCallback) -> RegisteredCallback:
        return self._call(
            lambda: self.callbacks.register(self.connection, wanted, url=self.url, description=self._description())
        )

    def _call(self, ask: Callable[[], Answer]) -> Answer:
        """One call to the provider, if there is time for it and the inbox is still ours."""
        left = self.clock.left()
        if left <= 0:
            raise OutOfTime
        inbox_claims.renew(self.claim)
        try:
            with egress.deadline(min(left, CALL_SECONDS)):
                return ask()
        except TryLater as error:
            # A call ends a few milliseconds before the budget does, never after it.
            if error.status is None and self.clock.left() <= SLACK_SECONDS:
                raise OutOfTime from error
            raise

    def _note(self, one: RegisteredCallback, *, is_new: bool) -> None:
        """Write down a registration that is as it is wanted. One that we had not on record counts as new."""
        with transaction.atomic():
            inbox_claims.hold(self.claim)
            row, _ = Registration.objects.get_or_create(inbox=self.inbox, **_columns(one.wanted))
            is_known = row.state == Registration.ACTIVE and row.provider_id == one.provider_id
            Registration.objects.filter(pk=row.pk).update(
                state=Registration.ACTIVE,
                provider_id=one.provider_id,
                last_error="",
                checked_at=Now(),
                registered_at=Now() if is_new or not is_known else F("registered_at"),
            )

    def _note_missing(self, wanted: WantedCallback) -> None:
        with transaction.atomic():
            inbox_claims.hold(self.claim)
            Registration.objects.update_or_create(
                inbox=self.inbox,
                **_columns(wanted),
                defaults={"state": Registration.MISSING, "provider_id": "", "checked_at": Now()},
            )

    def _note_problem(self, one: WantedCallback, problem: str) -> None:
        with transaction.atomic():
            inbox_claims.hold(self.claim)
            Registration.objects.update_or_create(
                inbox=self.inbox,
                **_columns(one),
                defaults={"state": Registration.REFUSED, "last_error": problem, "checked_at": Now()},
            )

    def _forget_rows(self, *, except_for: Mapping[str, str]) -> None:
        """Of what is neither wanted nor, as far as we could see to it, at the provider."""
        names = {_name(one) for one in self.wanted} | except_for.keys()
        with transaction.atomic():
            inbox_claims.hold(self.claim)
            gone = [row.pk for row in self.inbox.registrations.all() if name_of(row) not in names]
            Registration.objects.filter(pk__in=gone).delete()

    def _description(self) -> str:
        return f"Switchyard, instance {self.inbox.instance_id}"

    def _ids(self, wanted: WantedCallback) -> dict[str, object]:
        return {"inbox": self.inbox.pk, "instance": self.inbox.instance_id, "registration": _name(wanted)}


def name_of(row: Registration) -> str:
    """What people call a registration: `ticket`, `ticket:board:12`."""
    return _name(WantedCallback(type=row.type, level=row.level, object_id=row.object_id))


def without_secrets(inbox: Inbox, error: Exception) -> str:
    """What to tell people of an error. Providers repeat what they were sent, and the address is ours to know."""
    text, said = str(error), getattr(error, "provider_message", "")
    if said and said not in text:
        text = f"{text} ({said})"
    try:
        return text.replace(inboxes.token_of(inbox), "********")[:500]
    except KeyMissing:
        return text[:500]


def _name(one: WantedCallback) -> str:
    return one.type if one.level == "owner" else f"{one.type}:{one.level}:{one.object_id}"


def _same(found: Sequence[RegisteredCallback], wanted: WantedCallback) -> tuple[RegisteredCallback, ...]:
    return tuple(one for one in found if one.wanted == wanted)


def _columns(one: WantedCallback) -> dict[str, Any]:
    return {"type": one.type, "level": one.level, "object_id": one.object_id}


def _problem(problems: Mapping[str, str]) -> str:
    """Names with the same cause stand before it together."""
    by_cause: dict[str, list[str]] = {}
    for name, why in problems.items():
        by_cause.setdefault(why, []).append(name)
    if not by_cause:
        return ""
    return "Not as wanted at the provider: " + "; ".join(
        f"{', '.join(names)}: {why}" for why, names in by_cause.items()
    )

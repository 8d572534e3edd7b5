"""Every write to an instance: create, change, disable, delete.

What is asked of the provider is asked outside transactions and before anything is written. A change is planned on
the locked row; where the plan needs an answer of the provider, the lock is let go, the provider is asked, and the
plan is made again on the row as it is by then. So concurrent changes keep each other's keys, and no row waits for
a provider.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import connection as database
from django.db import transaction

from connectors import hub, hub_paths
from connectors.connection import Connection
from connectors.element import Element
from connectors.errors import ConnectorError, RateLimited, TryLater
from connectors.poller import ResourcePoller
from instances import configuration as configurations
from instances import signing_keys
from instances.configuration import MASK, Configuration
from instances.encryption import encrypt, fingerprint, new_secret
from instances.errors import Conflict, InvalidRequest, NotFound
from instances.labels import clean_name, clean_tags
from instances.models import Instance, User
from instances.signals import instance_configured, instance_deleting

logger = logging.getLogger(__name__)

# How often a change is planned anew because others changed the same instance while the provider was asked.
ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The provider's state at the moment from which changes become events."""

    clock: datetime
    """The provider's clock (`Date` of the credential check, UTC)."""
    highest_ids: Mapping[str, int | None]
    """By the poller's name, exactly for the resources that begin now; None where ids say nothing or the read failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What a caller wants changed. None: left as it is."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    configuration: Mapping[str, object] | None = field(default=None, repr=False)
    is_disabled: bool | None = None
    replaces_unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What the provider has to be asked before a plan can be carried out. Equal questions have one answer."""

    connection: Connection
    begins: Mapping[str, str]
    """Resources whose events begin: the poller's name and the resource it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    columns: Mapping[str, Any] = field(repr=False)
    question: _Question | None
    needs_baseline: bool
    starts_over: bool
    is_announced: bool
    """False for a new name: whoever follows the configuration would take up its work anew for nothing."""


def create(
    *,
    user: User,
    element: Element,
    name: object,
    configuration: Mapping[str, object],
    tags: object = None,
) -> Instance:
    """A new instance, after its credentials were tried. Raises InvalidRequest, and then leaves nothing behind."""
    assert user.organization is not None
    cleaned_name = clean_name(name)
    cleaned_tags = (cleaned_name,) if tags is None else clean_tags(tags)
    wanted = configurations.merged(configurations.blank(element), configuration)
    _check_complete(wanted)
    pollers = _validated_pollers(wanted, configuration)
    is_listening = bool(wanted.columns["is_events_enabled"])
    question = _Question(connection=wanted.connection(), begins=_resources(pollers) if is_listening else {})
    baseline = _ask(question)
    token = new_secret()
    instance = Instance(
        organization=user.organization,
        user=user,
        element_key=element.key,
        name=cleaned_name,
        tags=list(cleaned_tags),
        token_hash=fingerprint(token),
        token_encrypted=encrypt(token),
        **configurations.columns_of(wanted),
    )
    with transaction.atomic():
        instance.save(force_insert=True)
        _announce(
            instance,
            baseline=baseline if is_listening else None,
            starts_over=False,
            previous_configuration=instance.configuration_encrypted,
        )
    _refresh_registrations(instance)
    logger.info("instance created", extra={"instance": instance.pk, "element": element.key})
    return instance


def update(
    *,
    instance_id: int,
    name: object = None,
    tags: object = None,
    configuration: Mapping[str, object] | None = None,
    replaces_unreadable: bool = False,
) -> Instance:
    """Change what is given; configuration keys are merged. Raises InvalidRequest, NotFound, Conflict, KeyMissing.

    With `replaces_unreadable`, what the keyring has lost the key of counts as not set: the configuration has to bring
    all that is required, and the instance works again.
    """
    return _change(
        instance_id,
        _Request(
            name=None if name is None else clean_name(name),
            tags=None if tags is None else clean_tags(tags),
            configuration=configuration,
            replaces_unreadable=replaces_unreadable,
        ),
    )


def try_out(*, element: Element, configuration: Mapping[str, object], instance: Instance | None = None) -> datetime:
    """Ask the provider whether it would take this, as `create`, or `update` of the instance, does; nothing is kept.

    Returns the provider's clock. Raises InvalidRequest, RateLimited.
    """
    before = configurations.blank(element) if instance is None else configurations.readable_part(instance)
    wanted = configurations.merged(before, configuration)
    _check_complete(wanted)
    _check_secrets_sent_again(before, wanted, configuration)
    return _clock(wanted.connection())


def enable(*, instance_id: int) -> Instance:
    """Let a disabled instance be used again; polling goes on from where it stood."""
    return _change(instance_id, _Request(is_disabled=False))


def disable(*, instance_id: int) -> Instance:
    """Refuse calls through the instance and stop its events, keeping it."""
    return _change(instance_id, _Request(is_disabled=True))


def change_objects(*, instance_id: int, decide: Callable[[Instance], Mapping[str, Any]]) -> Instance:
    """Change what the instance has under names of its own: `decide` says which columns become what on this very row.

    Raises NotFound, and what `decide` raises.
    """
    with transaction.atomic():
        instance = _locked(instance_id)
        columns = decide(instance)
        for column, value in columns.items():
            setattr(instance, column, value)
        instance.save(update_fields=[*columns, "updated_at"])
    logger.info("instance changed", extra={"instance": instance.pk, "columns": sorted(columns)})
    return instance


def delete(*, instance_id: int) -> None:
    """Remove the instance and all that hangs on it. Its token proves nothing afterwards."""
    with transaction.atomic():
        instance = _locked(instance_id)
        instance_deleting.send(sender=Instance, instance=instance)
        instance.delete()
    logger.info("instance deleted", extra={"instance": instance_id})


def mark_needs_attention(instance_id: int, reason: str, *, seen: Instance | None = None) -> bool:
    """Note that the provider will not take these credentials any more, and why.

    With `seen` (the row that the refused call was made from), an instance whose configuration has changed since is
    left alone: the refusal was about the old one. Returns whether the mark was set.
    """
    rows = Instance.objects.filter(pk=instance_id)
    if seen is not None:
        rows = rows.filter(configuration_encrypted=seen.configuration_encrypted)
    is_marked = rows.update(is_valid=False, invalid_reason=reason[:1000]) == 1
    if is_marked:
        logger.info("instance needs attention", extra={"instance": instance_id})
    return is_marked


def note_registrations(instance_id: int, *, provider_ids: Sequence[str], problem: str) -> None:
    """What the provider has of our callbacks, and what is missing (empty: nothing)."""
    Instance.objects.filter(pk=instance_id).update(
        subscription_id=",".join(provider_ids), registration_problem=problem[:1000]
    )


def _change(instance_id: int, request: _Request) -> Instance:
    asked: _Question | None = None
    answer: Baseline | None = None
    for _ in range(ROUNDS):
        with transaction.atomic():
            instance = _locked(instance_id)
            plan = _plan(instance, request, now=_database_now())
            open_question = None if plan.question == asked else plan.question
            if open_question is None:
                _carry_out(instance, plan, answer)
        if open_question is None:
            _refresh_registrations(instance)
            return instance
        asked = open_question
        answer = _ask(asked)
    raise Conflict("Others kept changing this instance at the same moment; send the request again")


def _carry_out(instance: Instance, plan: _Plan, answer: Baseline | None) -> None:
    previous_configuration = instance.configuration_encrypted
    for column, value in plan.columns.items():
        setattr(instance, column, value)
    instance.save(update_fields=[*plan.columns, "updated_at"])
    if plan.is_announced:
        _announce(
            instance,
            baseline=answer if plan.needs_baseline else None,
            starts_over=plan.starts_over,
            previous_configuration=previous_configuration,
        )
    logger.info("instance changed", extra={"instance": instance.pk, "columns": sorted(plan.columns)})


def _announce(instance: Instance, *, baseline: Baseline | None, starts_over: bool, previous_configuration: str) -> None:
    instance_configured.send(
        sender=Instance,
        instance=instance,
        baseline=baseline,
        starts_over=starts_over,
        previous_configuration=previous_configuration,
    )


def _refresh_registrations(instance: Instance) -> None:
    """Callbacks are registered right behind the commit; what came of it belongs into the answer."""
    with contextlib.suppress(Instance.DoesNotExist):
        instance.refresh_from_db(fields=["subscription_id", "registration_problem"])


def _plan(instance: Instance, request: _Request, *, now: datetime) -> _Plan:
    """What the request does to this row, by the database's clock. Decides, and asks nobody."""
    columns: dict[str, Any] = {}
    if request.name is not None:
        columns["name"] = request.name
    if request.tags is not None:
        columns["tags"] = list(request.tags)
    if request.is_disabled is not None:
        columns["is_disabled"] = request.is_disabled
    read = configurations.readable_part if request.replaces_unreadable else configurations.configuration_of
    before = read(instance)
    after, has_new_credentials = before, False
    if request.configuration is not None:
        after = configurations.merged(before, request.configuration)
        _check_complete(after)
        _check_secrets_sent_again(before, after, request.configuration)
        columns |= _changed_columns(instance, before, after, now=now)
        has_new_credentials = _sends_credentials(after, request.configuration)
    connection, known_connection = after.connection(), before.connection()

    was_listening = instance.is_listening
    is_listening = after.columns["is_events_enabled"] and not columns.get("is_disabled", instance.is_disabled)
    known_account = known_connection.account() if before.entries else instance.provider_account
    is_another_account = connection.account() != known_account
    is_another_method = after.columns["event_method"] != before.columns["event_method"]
    begins_anew = is_listening and (not was_listening or is_another_account or is_another_method)
    begins: dict[str, str] = {}
    if is_listening or request.configuration is not None:
        pollers = _validated_pollers(after, request.configuration or {})
        if is_listening:
            begins = _resources(pollers)
            if not begins_anew:
                known = _resources(before.pollers())
                begins = {name: resource for name, resource in begins.items() if known.get(name) != resource}
    needs_baseline = begins_anew or bool(begins)
    is_new_to_provider = dict(connection.configuration) != dict(known_connection.configuration)
    has_to_ask = needs_baseline or is_new_to_provider or (has_new_credentials and not instance.is_valid)
    if has_to_ask:
        # Nothing is written unless the provider takes the credentials.
        columns |= {"is_valid": True, "invalid_reason": ""}
    return _Plan(
        columns=columns,
        question=_Question(connection=connection, begins=begins) if has_to_ask else None,
        needs_baseline=needs_baseline,
        starts_over=is_another_account,
        is_announced=request.configuration is not None or request.is_disabled is not None,
    )


def _changed_columns(
    instance: Instance, before: Configuration, after: Configuration, *, now: datetime
) -> dict[str, Any]:
    wanted = dict(after.columns)
    wanted["signing_keys_encrypted"] = signing_keys.succeeded(
        before.columns["signing_keys_encrypted"],
        by=wanted["signing_keys_encrypted"],
        now=now,
        overlap=timedelta(hours=wanted["signing_overlap_hours"]),
    )
    changed = {column: value for column, value in wanted.items() if value != getattr(instance, column)}
    if after.entries != before.entries:
        stored = configurations.columns_of(after)
        changed |= {column: stored[column] for column in ("configuration_encrypted", "provider_account")}
    return changed


def _sends_credentials(after: Configuration, sent: Mapping[str, object]) -> bool:
    named = configurations.canonical(after.element, sent)
    return any(one.secret and one.key in named for one in after.element.fields)


def _check_complete(configuration: Configuration) -> None:
    if missing := configurations.missing(configuration):
        raise InvalidRequest(f"The configuration lacks {', '.join(missing)}")


def _check_secrets_sent_again(before: Configuration, after: Configuration, sent: Mapping[str, object]) -> None:
    """Raises InvalidRequest."""
    moved, withheld = configurations.withheld_secrets(before, after, sent)
    if moved and withheld:
        raise InvalidRequest(
            f"{', '.join(moved)} changed: send {', '.join(withheld)} again in the same request, in clear (not {MASK}); "
            "a stored secret goes only to the account that it was given for"
        )


def _validated_pollers(configuration: Configuration, sent: Mapping[str, object]) -> Mapping[str, ResourcePoller]:
    """What is polled, looked at even while events are off if the request says something about it."""
    says_so = any(key.startswith("event.poller.") or key == configurations.POLLED_OBJECTS for key in sent)
    if configuration.columns["is_events_enabled"] or says_so:
        return configuration.pollers()
    return {}


def _resources(pollers: Mapping[str, ResourcePoller]) -> dict[str, str]:
    return {name: hub_paths.parse_path(one.url)[0] for name, one in pollers.items()}


def _ask(question: _Question) -> Baseline:
    """Try the credentials, then read what the baseline needs. Raises InvalidRequest, RateLimited."""
    connection = question.connection
    clock = _clock(connection)
    client = connection.client()
    highest_ids: dict[str, int | None] = {}
    for name, resource in question.begins.items():
        try:
            highest_ids[name] = client.highest_id(hub.resource_of(connection, resource))
        except ConnectorError as error:
            # Polling tells what is wrong with the resource; without an id, dates alone say what is new.
            logger.info(
                "highest id not read",
                extra={"element": connection.element.key, "resource": resource, "error": type(error).__name__},
            )
            highest_ids[name] = None
    if highest_ids:
        # Events begin after the ids were read: what is created in between has an id above, and counts as created.
        clock = _clock(connection)
    return Baseline(clock=clock, highest_ids=highest_ids)


def _clock(connection: Connection) -> datetime:
    """The provider's, from the call that proves the credentials. Raises InvalidRequest, RateLimited."""
    try:
        return connection.client().check()
    except RateLimited:
        raise
    except ConnectorError as error:
        raise InvalidRequest(
            _advice(connection.element, error), provider_message=_without_secrets(error.provider_message, connection)
        ) from error


def _advice(element: Element, error: ConnectorError) -> str:
    """The client's own words, which name the entry to look at; with the entries behind them where they do not."""
    message = str(error)
    if any(one.key in message for one in element.fields):
        return message
    suspects = [one.key for one in element.fields if one.is_url]
    if not isinstance(error, TryLater):
        suspects += [one.key for one in element.fields if one.required and not one.is_url]
    return f"{message}; check {', '.join(suspects)}" if suspects else message


def _without_secrets(text: str, connection: Connection) -> str:
    """Some providers repeat what they were sent."""
    for one in connection.element.fields:
        secret = connection.configuration.get(one.key)
        if one.secret and secret:
            text = text.replace(secret, MASK)
    return text


def _database_now() -> datetime:
    with database.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cast(datetime, cursor.fetchone()[0])


def _locked(instance_id: int) -> Instance:
    instance = Instance.objects.select_for_update(of=("self",)).filter(pk=instance_id).first()
    if instance is None:
        raise NotFound(f"There is no instance {instance_id}")
    return instance

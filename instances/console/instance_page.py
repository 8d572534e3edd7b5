"""The first tab of an instance's page: how it is, what is in the way, and the latest of what happened."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from connectors.element import WEBHOOK
from instances import permissions
from instances.configuration import pollers_of
from instances.console import instance_writes, moments, overview, page, tabs, tokens
from instances.console.home import WARNING
from instances.console.lists import may_operate
from instances.console.overview import Fact, Trouble
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from instances.event_settings import is_own_events_url
from instances.models import Instance
from instances.retry_schedules import schedule_of

tabs.add(
    tabs.Tab(
        name="overview",
        label="Overview",
        order=10,
        url=lambda instance: reverse("admin:instances_instance_change", args=[instance.pk]),
    )
)


def overview_page(request: HttpRequest, instance: Instance) -> HttpResponse:
    return page.instance_page(
        request,
        instance,
        "console/instances/overview.html",
        tab="overview",
        troubles=overview.troubles_of(instance),
        facts=overview.facts_of(instance),
        numbers=overview.numbers_of(instance),
        panels=overview.panels_of(instance),
        may_see_token=permissions.may_see_secrets(request.user),
        may_operate=may_operate(request),
        api_url=f"{settings.PUBLIC_URL.rstrip('/')}/elements/api-v2",
        resource=first_resource(instance),
    )


def first_resource(instance: Instance) -> str:
    """What its example reads: the first collection of its element."""
    return next((one.name for one in instance.element.resources if not one.parent), "")


def edit_url(instance: Instance, *, reauthenticate: bool = False) -> str:
    return reverse("admin:instances_instance_edit", args=[instance.pk]) + ("?reauthenticate" if reauthenticate else "")


@overview.troubles
def own_troubles(instance: Instance) -> Iterator[Trouble]:
    if tokens.keys_of(instance).is_lost or not _is_readable(instance):
        yield Trouble(
            title=instance_writes.KEY_MISSING,
            advice="Nothing is read or signed for it. Put that key back into FERNET_KEYS, last in the list, and "
            "restart; or enter its credentials and signature key anew.",
            url=edit_url(instance, reauthenticate=True),
            action="Re-authenticate",
            order=0,
        )
    if not instance.is_valid:
        yield Trouble(
            title="The provider does not take its credentials any more; its events have stopped.",
            said=instance.invalid_reason,
            advice="Enter working credentials: its events go on from where they stand.",
            url=edit_url(instance, reauthenticate=True),
            action="Re-authenticate",
            order=1,
        )
    if instance.registration_problem:
        yield Trouble(
            title="Not all callbacks are registered at the provider: some changes are noticed late, by polls only.",
            said=instance.registration_problem,
            advice="The provider is asked again by itself. If it refuses, give the account the right to register "
            "callbacks.",
            tone=WARNING,
            order=3,
        )
    if instance.is_events_enabled and not instance.callback_url:
        yield Trouble(
            title="Events are on, but there is no callback URL: they are kept, and sent nowhere.",
            advice="Set a callback URL, unless events are read through the API only.",
            url=edit_url(instance),
            action="Edit",
            tone=WARNING,
            order=8,
        )


@overview.facts
def own_facts(instance: Instance) -> Iterator[Fact]:
    yield Fact(label="Callback URL", value=_callback(instance), order=10)
    yield Fact(label="Signed", value=_signed(instance), order=20)
    yield Fact(label="Retries", value=_retries(instance), order=30)
    if instance.notification_ordering == Instance.BY_OBJECT:
        order = "Changes of one object are told in order, each after the one before it was delivered"
    else:
        order = "As they come; changes of one object may overtake each other"
    yield Fact(label="Order", value=order, order=40)
    method = "Callbacks of the provider, and polls for what these lose" if _is_told(instance) else "Polls"
    yield Fact(label="Changes noticed by", value=method, order=50)
    yield Fact(label="Poll interval", value=_interval(instance), order=60)
    yield Fact(label="Resources", value=_resources(instance), order=70)
    created = format_html("{} by {}", moments.moment(instance.created_at), instance.user.email)
    yield Fact(label="Created", value=created, order=90)


def _is_told(instance: Instance) -> bool:
    return instance.event_method == WEBHOOK


def _is_readable(instance: Instance) -> bool:
    try:
        pollers_of(instance)
    except KeyMissing:
        return False
    except InvalidRequest:
        pass
    return True


def _callback(instance: Instance) -> object:
    """Without the query string: people keep secrets in it."""
    if not instance.callback_url:
        return "none"
    if is_own_events_url(instance.callback_url):
        return "this platform itself: nothing is sent"
    parts = urlsplit(instance.callback_url)
    return parts._replace(query="…" if parts.query else "", fragment="").geturl()


def _signed(instance: Instance) -> object:
    keys = tokens.keys_of(instance)
    if keys.is_lost:
        return "yes, with keys that cannot be read at the moment"
    if not keys.count:
        return "no: receivers cannot tell whom notifications come from"
    ends = format_html_join(
        "", "; the key before it also signs until {}", ((moments.moment(key.ends_at),) for key in keys.ends)
    )
    return format_html("yes{}", ends)


def _retries(instance: Instance) -> str:
    text = instance.retry_schedule or instance.organization.retry_schedule
    schedule = schedule_of(text)
    whose = "" if instance.retry_schedule else ", as the organization has it"
    return f"{len(schedule.steps)} within {moments.span(schedule.end)} of the first failure{whose}"


def _interval(instance: Instance) -> str:
    minutes = f"{instance.poll_interval_minutes.normalize():f}"
    return f"every {minutes} minute{'' if minutes == '1' else 's'}"


def _resources(instance: Instance) -> object:
    try:
        names = list(pollers_of(instance))
    except (KeyMissing, InvalidRequest):
        return "cannot be read at the moment"
    return ", ".join(names) or "none"

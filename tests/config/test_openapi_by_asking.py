"""The API is asked what its own document says that it can be asked, and what it says that it cannot.

In process, over a sandbox; each call's rows are rolled back, so that what one deletes the next one finds.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import hypothesis
import orjson
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.openapi.document import document
from connectors import registry
from connectors.configuration_entries import REFRESH_INTERVAL, entries_of
from connectors.sandbox import Sandbox
from events.models import Replay, Subscription
from events.posting import post
from instances.models import User
from tests.api_client import Api
from tests.events.desks import account_of
from tests.factories import PASSWORD, InboxFactory, InstanceFactory, token_of

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SETTINGS = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
    report_multiple_bugs=False,
)
CALLS = int(os.environ.get("API_CALLS", "1"))
"""Generated for each operation and kind. More find more, and take as much longer."""
WITHOUT_SUCCESS = {"/elements/{keyOrId}/oauth/url": 400}
"""What no element that there is supports."""
RECORDS = tuple(f"/hubs/{element.hub}/" for element in registry.all_elements())
DOCUMENT = document().content


@dataclass
class Caller:
    """Who asks, and the ids of what they have."""

    user: User
    tokens: dict[str, Api]
    known: dict[str, list[str]] = field(default_factory=dict)
    """By the name of the path's parameter."""

    def token_for(self, operation: Any) -> str:
        """Of the instance of the path's hub, where the path asks for a token."""
        schemes = {name for scheme in operation.definition.raw.get("security", []) for name in scheme}
        if schemes <= {"UserAndOrganization"}:
            return ""
        hub = operation.path.split("/")[2] if operation.path.startswith("/hubs/") else "crm"
        return self.tokens.get(hub, self.tokens["crm"]).token

    def authorization(self, operation: Any) -> str:
        return Api(self.user, token=self.token_for(operation)).authorization


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=12, companies=5, tickets=8, time_entries=6) as running:
        yield running


@contextmanager
def one_connection() -> Iterator[None]:
    """Django would close the connection that the test's transaction is on after each request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@pytest.fixture
def caller(owner, sandbox) -> Caller:
    crm = InstanceFactory.create(
        user=owner,
        sent={
            "baseUrl": sandbox.base_url,
            "company": sandbox.company,
            "public.key": sandbox.public_key,
            "private.key": sandbox.private_key,
        },
    )
    desk = InstanceFactory.create(user=owner, element_key="connectwisehd", sent=account_of(sandbox))
    subscription = Subscription.objects.create(
        organization=owner.organization, topics=["weather"], url="http://127.0.0.1:9/"
    )
    event = post(
        organization=owner.organization, topic="weather", message="It rains", severity="low", sender="somebody"
    )
    replay = Replay.objects.create(
        organization=owner.organization, wanted={"statuses": ["queued"]}, rate=1, total=1, total_bytes=1, last_id=1
    )
    api = Api(owner)
    for kind in ("objects/mine/definitions", "transformations/mine"):
        example = DOCUMENT["paths"]["/instances/{instanceId}/" + kind.replace("mine", "{name}")]["post"]["requestBody"]
        made = api.post(f"/instances/{crm.pk}/{kind}", example["content"]["application/json"]["example"])
        assert made.status_code == 200, made.content
    return Caller(
        user=owner,
        tokens={"crm": api.through(crm), "helpdesk": api.through(desk)},
        known={
            "address": [token_of(InboxFactory.create(instance=desk))],
            "accountId": [str(owner.organization.pk)],
            "elementKey": ["connectwisehd"],
            "entryId": [str(entry.id) for entry in entries_of(crm.element) if entry.key == REFRESH_INTERVAL],
            "eventId": [str(event.pk)],
            "hub": ["crm", "helpdesk"],
            "instanceId": [str(crm.pk), str(desk.pk)],
            "keyOrId": ["connectwisecrmrest", "connectwisehd", "142"],
            "name": ["mine"],
            "notificationId": [str(event.pk)],
            "objectName": ["contacts", "incidents", "boards"],
            "parentId": [str(number) for number in sandbox.tickets.ids()[:2]],
            "recordId": [str(number) for number in sandbox.contacts.ids()[:4]],
            "replayId": [str(replay.pk)],
            "subscriptionId": [str(subscription.pk)],
        },
    )


@cache
def schema() -> Any:
    """Read when it is wanted: every process of a run imports this module, and one asks."""
    with one_connection():
        return schemathesis.openapi.from_wsgi("/elements/api-docs/openapi.json", get_wsgi_application())


def operations() -> Iterator[Any]:
    for result in schema().get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


def can_be_asked_wrongly(operation: Any, *, is_record: bool) -> bool:
    """Whether there is something to send that is wrong: any text may be an id. Of records, one resource is enough."""
    return bool(operation.body or operation.query) and (not is_record or "/contacts" in operation.path)


def faults(operation: Any, caller: Caller, *, mode: GenerationMode, count: int) -> set[str]:
    """What is wrong with the answers to `count` generated calls."""
    wrong: set[str] = set()

    @hypothesis.settings(SETTINGS, max_examples=count)
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), choice=st.integers(0, 5))
    def call(case: Any, choice: int) -> None:
        for name in case.path_parameters or {}:
            if choice and name in caller.known:
                case.path_parameters[name] = caller.known[name][choice % len(caller.known[name])]
        case.headers["Authorization"] = caller.authorization(operation)
        with transaction.atomic():
            try:
                case.call_and_validate(checks=CHECKS)
            except FailureGroup as failures:
                wrong.update(f"{operation.label}: {one.title} {one.message}"[:600] for one in failures.exceptions)
            transaction.set_rollback(True)

    call()
    return wrong


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_every_answer_is_one_that_the_document_tells_of(caller, mode):
    wrong: set[str] = set()
    for operation in operations():
        # One view serves all records, and their schemas are large: one resource is enough for what is wrong.
        is_record = operation.path.startswith(RECORDS)
        if mode is GenerationMode.NEGATIVE and not can_be_asked_wrongly(operation, is_record=is_record):
            continue
        try:
            with one_connection():
                wrong |= faults(operation, caller, mode=mode, count=CALLS)
        except hypothesis.errors.Unsatisfiable:
            # Callbacks have bodies of any shape: there is nothing to send that is wrong.
            assert mode is GenerationMode.NEGATIVE, operation.label
            assert operation.path.startswith("/events/"), operation.label
    assert sorted(wrong) == []


def test_every_example_of_a_body_works(caller, sandbox):
    """Sent as it is, but for the account at the provider and for addresses of somebody else's."""
    refused = []
    made: dict[str, str] = {}
    for operation in operations():
        content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in content:
            continue
        names: dict[str, str] = defaultdict(lambda: "example", {name: ids[0] for name, ids in caller.known.items()})
        if operation.method.lower() == "post":
            names["name"] = "new"
        if (collection := operation.path.removesuffix("/{recordId}")) in made:
            names["recordId"] = made[collection]
        path = operation.path.format_map(names)
        api = Api(caller.user, token=caller.token_for(operation))
        with transaction.atomic():
            answer = api.call(operation.method.upper(), path, translated(content["example"], caller, sandbox))
            transaction.set_rollback(True)
        if answer.status_code != WITHOUT_SUCCESS.get(operation.path, 200):
            refused.append(f"{operation.label}: {answer.content.decode()}")
        elif operation.path.startswith(RECORDS):
            made.setdefault(operation.path, str(answer.json()["id"]))
    assert refused == []


def translated(example: Any, caller: Caller, sandbox: Sandbox) -> bytes:
    """The example with the words of this test's world in it."""
    text = orjson.dumps(example)
    for theirs, ours in {
        "https://api-na.myconnectwise.net/v4_6_release/apis/3.0": sandbox.base_url,
        "the public key": sandbox.public_key,
        "the private key": sandbox.private_key,
        "https://app.example.com": "http://127.0.0.1:8099",
        "ann@example.com": caller.user.email,
        "a good one": PASSWORD,
    }.items():
        text = text.replace(orjson.dumps(theirs)[1:-1], orjson.dumps(ours)[1:-1])
    return text

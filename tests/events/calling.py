"""A provider that calls back: the sandbox posts to a sink, and what it posted is stored as the receiver stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction
from django.db.models.functions import Now

from connectors.sandbox import Sandbox
from connectors.sandbox.callbacks import SentCallback
from connectors.sandbox.signing import KEY_PATH
from events import subscriptions
from events.models import Callback, Event, Inbox
from instances.models import Instance
from tests.factories import InboxFactory, InstanceFactory

TYPES = ("contact", "company", "ticket", "time")


@dataclass
class Line:
    """From the sandbox to one instance of connectwisehd."""

    sandbox: Sandbox
    instance: Instance
    inbox: Inbox

    def sent(self) -> list[SentCallback]:
        """What the sandbox has posted since this was last asked."""
        self.sandbox.callbacks.wait_until_idle(10)
        sent = list(self.sandbox.callbacks.sent)
        self.sandbox.callbacks.sent.clear()
        return sent

    def receive(self, *, copies: int = 1) -> list[Callback]:
        """Store what was posted."""
        return [self.store(one.body, one.signature) for one in self.sent() for _ in range(copies)]

    def store(self, body: bytes | dict[str, Any], signature: str = "", **columns: Any) -> Callback:
        body = body if isinstance(body, bytes) else orjson.dumps(body)
        return Callback.objects.create(instance=self.instance, method="POST", body=body, signature=signature, **columns)

    def store_signed(self, body: bytes | dict[str, Any], **columns: Any) -> Callback:
        body = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.store(body, self.sandbox.callbacks.keys.sign(body), **columns)

    def words(self, number: int = 7, *, action: str = "updated", **members: Any) -> dict[str, Any]:
        """A body about contact `number`, with what a test wants otherwise. None leaves a member out."""
        entity = {"id": number, "firstName": "Zoë", "_info": {"lastUpdated": "2026-06-09T21:59:47Z"}}
        body = {
            "MessageId": f"message {number} {action}",
            "CompanyId": self.sandbox.company,
            "Action": action,
            "Type": "contact",
            "ID": number,
            "Entity": None if action == "deleted" else orjson.dumps(entity).decode(),
            "Metadata": {"key_url": self.sandbox.url + self.sandbox.callbacks.keys.place()},
        }
        return {name: value for name, value in (body | members).items() if value is not None or name == "Entity"}

    def key_requests(self) -> int:
        return sum(request.path == KEY_PATH for request in self.sandbox.requests)

    def told(self) -> list[tuple[str, str, str]]:
        """Event type, object type and object id of every change in every event, in the order of the events."""
        return [
            (entry["eventType"], entry["objectType"], entry["objectId"])
            for event in Event.objects.order_by("pk")
            for entry in orjson.loads(bytes(event.body))["message"]["events"]
        ]


def connect(sandbox: Sandbox, url: str, *, user: Any = None, **inbox: Any) -> Line:
    """An instance with events on and its inbox open, and the sandbox's registrations that lead to `url`."""
    sent = {
        "event.notification.enabled": True,
        "event.notification.callback.url": url,
        "helpdesk.connectwise.server.url": sandbox.url,
        "helpdesk.connectwise.company": sandbox.company,
        "helpdesk.connectwise.username": sandbox.public_key,
        "helpdesk.connectwise.password": sandbox.private_key,
    }
    with transaction.atomic():
        instance = InstanceFactory.create(
            element_key="connectwisehd", sent=sent, **({"user": user} if user is not None else {})
        )
        subscriptions.follow_instance(instance=instance)
        made = InboxFactory.create(instance=instance, **inbox)
    if not sandbox.registrations.ids():
        for type_ in TYPES:
            sandbox.registrations.add(type=type_, url=f"{url}?recordId=")
    return Line(sandbox=sandbox, instance=instance, inbox=made)


def contents() -> dict[int, tuple[str, str]]:
    """State and reason of every callback, by its id."""
    return {row.pk: (row.state, row.reason) for row in Callback.objects.order_by("pk")}


def make_due() -> None:
    Callback.objects.update(next_attempt_at=Now())

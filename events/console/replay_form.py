"""What people type to have deliveries begun again: kept as it was typed, and made what `POST /replays` takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func, Model, QuerySet, TextField, Value
from django.db.models.functions import Coalesce
from django.http import QueryDict

from events import where
from events.buckets import moment
from events.models import Delivery, Event, Subscription
from events.replay_requests import DEFAULT_RATE, STATUSES, ReplayRequest, Wanted, parse
from instances.console.scope import Scope
from instances.errors import InvalidRequest, NotFound, PlatformError
from instances.models import Instance, Organization, User
from instances.paging import LARGEST_NUMBER

CHECKED = (where.QUEUED, where.ABANDONED)
"""At first: what nobody has got. What was delivered is sent twice only when somebody says so."""
FIELDS = ("instance", "subscription", "from", "to", "events", "deliveries", "rate")
NAMED = {
    "instance": "instance",
    "subscription": "subscription",
    "event": "events",
    "delivery": "deliveries",
    "instanceId": "instance",
    "subscriptionId": "subscription",
    "eventIds": "events",
    "deliveryIds": "deliveries",
}
"""Where the API's words for a field are not the form's."""
LONGEST_NAME = 255
SHOWN_URL = Func(F("url"), Value("?"), Value(1), function="split_part", output_field=TextField())
"""Without its query string: what is not shown is not to be guessed by searching for it either."""

_NUMBER_LAST = re.compile(r"(?:^|\()\s*(\d{1,19})\s*\)?$")
_NAMED_FIELD = re.compile(r"(\w+): (.+)", re.DOTALL)
_MISSING = re.compile(r"There is no (\w+) ")


class Refused(Exception):
    """Something that was typed cannot be meant. Names the field; empty where it is none of them."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The fields of the form, by their names on the page and in links to it."""

    texts: Mapping[str, str]
    statuses: tuple[str, ...] = CHECKED
    reactivates: bool = False

    @classmethod
    def of(cls, sent: QueryDict, *, is_sent: bool) -> Typed:
        """`is_sent`: from the form itself, where a box that is not there is one that is not ticked."""
        statuses = tuple(sent.getlist("statuses"))
        return cls(
            texts={name: _text(sent.get(name, "")) for name in FIELDS},
            statuses=statuses if statuses or is_sent else CHECKED,
            reactivates=sent.get("reactivate", "") not in ("", "false", "0"),
        )

    @classmethod
    def of_wanted(cls, wanted: Wanted, *, rate: int) -> Typed:
        """As it would have been typed."""
        ids = {"events": wanted.event_ids, "deliveries": wanted.delivery_ids}
        texts = {
            "instance": str(wanted.instance_id or ""),
            "subscription": str(wanted.subscription_id or ""),
            "from": wanted.begins_at.isoformat() if wanted.begins_at else "",
            "to": wanted.ends_at.isoformat() if wanted.ends_at else "",
            **{name: " ".join(map(str, some or ())) for name, some in ids.items()},
            "rate": str(rate),
        }
        return cls(texts=texts, statuses=wanted.statuses)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All of it, to be carried from one page to the next."""
        ticked = [("reactivate", "on")] if self.reactivates else []
        return [
            *((name, text) for name, text in self.texts.items() if text),
            *(("statuses", status) for status in self.statuses),
            *ticked,
        ]

    def local(self, name: str) -> str:
        """A moment as a browser's date and time box takes it; empty for what is none."""
        try:
            return moment(name, self.texts[name]).strftime("%Y-%m-%dT%H:%M:%S")
        except InvalidRequest:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed, understood."""

    organization: Organization
    request: ReplayRequest
    instance: Instance | None
    subscription: Subscription | None


def understand(typed: Typed, *, user: User, scope: Scope) -> Asked:
    """Raises Refused."""
    instance = _chosen(typed, "instance", scope.of(Instance.objects.select_related("organization")))
    subscription = _chosen(typed, "subscription", scope.of(Subscription.objects.select_related("organization")))
    if not typed.statuses:
        raise Refused("statuses", "Choose at least one")
    try:
        request = parse(
            {
                "instanceId": instance and instance.pk,
                "subscriptionId": subscription and subscription.pk,
                "statuses": [status for status in STATUSES if status in typed.statuses] or list(typed.statuses),
                "from": typed.texts["from"] or None,
                "to": typed.texts["to"] or None,
                "eventIds": _numbers(typed.texts["events"]),
                "deliveryIds": _numbers(typed.texts["deliveries"]),
                "rate": whole_number(typed.texts["rate"] or str(DEFAULT_RATE)),
                "reactivate": typed.reactivates,
            }
        )
    except InvalidRequest as error:
        raise refused(error) from error
    owner = instance or subscription
    organization = owner.organization if owner else _organization_of(request, user=user, scope=scope)
    return Asked(organization=organization, request=request, instance=instance, subscription=subscription)


def refused(error: PlatformError) -> Refused:
    """The same at the field that the API names."""
    said = str(error)
    if said.startswith("to is"):
        return Refused("to", said)
    if isinstance(error, NotFound) and (missing := _MISSING.match(said)):
        return Refused(NAMED.get(missing[1], ""), said)
    named = _NAMED_FIELD.match(said)
    field = NAMED.get(named[1], named[1]) if named else ""
    if named and field in (*FIELDS, "statuses"):
        return Refused(field, named[2][:1].upper() + named[2][1:])
    return Refused("", said)


def label_of(row: Instance | Subscription) -> str:
    """How the boxes name one: what people know it by, and its number, which is what counts."""
    return f"{name_of(row)} ({row.pk})"


def name_of(row: Instance | Subscription) -> str:
    if isinstance(row, Instance):
        return row.name
    return row.url.partition("?")[0] or "without a URL"


def suggested(field: str, text: str, *, scope: Scope, most: int = 20) -> list[str]:
    """What the box of `field` offers for the beginning of a name, or a number."""
    rows: QuerySet[Any] = scope.of((Instance if field == "instance" else Subscription).objects.all())
    text = _text(text)
    number = _NUMBER_LAST.search(text)
    shown = F("name") if field == "instance" else SHOWN_URL
    rows = rows.annotate(shown=shown)
    found = rows.filter(shown__icontains=text[:LONGEST_NAME])
    if number and int(number[1]) <= LARGEST_NUMBER:
        found = rows.filter(pk=int(number[1])) | found
    return [label_of(row) for row in found.order_by("-pk")[:most]]


def _chosen(typed: Typed, field: str, rows: QuerySet[Any]) -> Any:
    """The one that is named by its label, its number or, for instances, its name. None where nothing was typed."""
    text = typed.texts[field]
    if not text:
        return None
    number = _NUMBER_LAST.search(text)
    found: list[Model] = []
    if number and int(number[1]) <= LARGEST_NUMBER:
        found = list(rows.filter(pk=int(number[1])))
    if not found and field == "instance":
        found = list(rows.filter(name=text[:LONGEST_NAME]).order_by("pk")[:2])
    if len(found) > 1:
        raise Refused(field, f"Several instances have this name; pick one from the list, or type its number: {text}")
    if not found:
        raise Refused(field, f"There is no {field} {text[:40]}; pick one from the list, or type its number")
    return found[0]


def _organization_of(request: ReplayRequest, *, user: User, scope: Scope) -> Organization:
    """Whose deliveries are meant. Only people who see several organizations can mean another one than their own."""
    wanted = request.wanted
    found = None
    if scope.is_everything and wanted.delivery_ids:
        found = Delivery.objects.filter(pk=wanted.delivery_ids[0]).values_list("organization", flat=True).first()
    elif scope.is_everything and wanted.event_ids:
        whose = Coalesce("organization", "instance__organization")
        found = Event.objects.filter(pk=wanted.event_ids[0]).values_list(whose, flat=True).first()
    if found is not None:
        return Organization.objects.get(pk=found)
    if user.organization is None:
        raise Refused("instance", "Choose an instance or a subscription: it says whose deliveries are meant")
    return user.organization


def _numbers(text: str) -> list[int | str] | None:
    return [whole_number(one) for one in re.split(r"[\s,;]+", text) if one] or None


def _text(typed: str) -> str:
    """What the database can compare with: text without NUL."""
    return typed.replace("\x00", "\ufffd").strip()


def whole_number(text: str) -> int | str:
    """What was typed, as it is where it is none: the API's words name it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text

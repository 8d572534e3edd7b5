"""Events, subscriptions, deliveries and account settings over HTTP. What is not the caller's is not there."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import published, redelivery, serializers, where
from events.models import Delivery, Event, Subscription
from events.provenance import provenance_of
from instances import account_settings, audited_calls, permissions
from instances.authentication import NeedsAllThree, NeedsUserAndOrganization, instance_of, user_of
from instances.errors import Conflict, InvalidRequest, NotFound, NotPermitted
from instances.models import Instance, Organization
from instances.paging import LARGEST_NUMBER, page_of

logger = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class ApiView(APIView):
    permission_classes: tuple[type[BasePermission], ...] = (NeedsUserAndOrganization,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in READING and not permissions.may_operate(user_of(request)):
            raise NotPermitted("Your role lets you look at this, not change it; ask an owner or an operator")

    def events(self, request: Request) -> QuerySet[Event]:
        return published.of_organization(organization_of(request))

    def event(self, rows: QuerySet[Event], event_id: str, *, name: str = "event") -> Event:
        event = rows.filter(pk=_number(event_id)).first()
        if event is None:
            raise NotFound(f"There is no {name} {event_id[:40]}")
        return event


class InstanceEventsView(ApiView):
    """GET /instances/{id}/events and /instances/events (of the token), newest first."""

    def get_permissions(self) -> list[Any]:
        return [NeedsUserAndOrganization() if "instance_id" in self.kwargs else NeedsAllThree()]

    def get(self, request: Request, **path: str) -> Response:
        instance = named_instance(request, path["instance_id"]) if "instance_id" in path else instance_of(request)
        rows = serializers.with_status(Event.objects.filter(instance=instance).exclude(source=Event.POSTED))
        page = page_of(rows, request, is_newest_first=True)
        shows = shows_bodies(request)
        return page.response([serializers.event_object(event, shows_bodies=shows) for event in page.rows])


class EventView(ApiView):
    """GET /instances/events/{eventId} and /instances/{id}/events/{eventId}."""

    def get(self, request: Request, *, event_id: str, instance_id: str | None = None) -> Response:
        rows = self.events(request).exclude(source=Event.POSTED)
        if instance_id is not None:
            rows = rows.filter(instance=named_instance(request, instance_id))
        event = self.event(serializers.with_status(rows), event_id)
        shown = serializers.event_object(event, shows_bodies=shows_bodies(request))
        return Response({**shown, "provenance": provenance_of(event)})


class SubscriptionsView(ApiView):
    def get(self, request: Request) -> Response:
        page = page_of(Subscription.objects.filter(organization=organization_of(request)), request)
        shows = shows_secrets(request)
        return page.response([serializers.subscription_object(row, shows_secrets=shows) for row in page.rows])

    def post(self, request: Request) -> Response:
        subscription = serializers.subscription_request(request.data, organization_of(request))
        subscription.save()
        subscription.refresh_from_db()
        _note_subscription(request, "added the subscription", subscription)
        return Response(serializers.subscription_object(subscription, shows_secrets=shows_secrets(request)))


class SubscriptionView(ApiView):
    def get(self, request: Request, *, subscription_id: str) -> Response:
        subscription = named_subscription(request, subscription_id)
        return Response(serializers.subscription_object(subscription, shows_secrets=shows_secrets(request)))

    def delete(self, request: Request, *, subscription_id: str) -> Response:
        subscription = named_subscription(request, subscription_id)
        if subscription.instance_id is not None:
            raise Conflict(
                f"This subscription belongs to instance {subscription.instance_id}: remove its "
                "event.notification.callback.url instead"
            )
        with transaction.atomic():
            # Whoever records events holds a share of this lock: no delivery is added while it is deleted.
            Subscription.objects.select_for_update().filter(pk=subscription.pk).first()
            _note_subscription(request, "deleted the subscription", subscription)
            subscription.delete()
        return Response(status=200)


class DeliveriesView(ApiView):
    """GET and PUT /notifications/subscriptions/deliveries?where=..."""

    def get(self, request: Request) -> Response:
        wanted = where.parse(request.query_params.get("where", ""))
        page = page_of(_shown(wanted.deliveries(organization_of(request)), request), request)
        return page.response(_objects(page.rows, request))

    def put(self, request: Request) -> Response:
        """Reactivate the subscriptions and begin their queued deliveries again; answers with the first page of them."""
        if not request.query_params.get("where", "").strip():
            raise InvalidRequest("where is missing; for example channel='webhook' and status='queued'")
        wanted = where.parse(request.query_params["where"])
        if wanted.status not in (None, where.QUEUED, where.RETRY):
            raise InvalidRequest(f"where: only {where.QUEUED} and {where.RETRY} deliveries can be sent again")
        organization = organization_of(request)
        again = where.Where(wanted.columns, wanted.status or where.QUEUED)
        page = page_of(again.deliveries(organization), request)
        count = redelivery.begin_again(
            user=user_of(request),
            organization=organization,
            meant=again,
            text=request.query_params["where"],
            count=page.total_count or 0,
            first=page.rows,
        )
        audited_calls.note(request, "redelivered", subject=f"{count} deliveries", detail=again.in_words)
        logger.info("redelivery asked for", extra={"user": user_of(request).pk, "deliveries": count})
        begun = Delivery.objects.filter(pk__in=[row.pk for row in page.rows]).order_by("pk")
        return Response(_objects(_shown(begun, request), request), headers={"Elements-Total-Count": str(count)})


class NotificationDeliveriesView(ApiView):
    """GET /notifications/{nId}/subscriptions/deliveries, and one of them under /subscriptions/{sId}/deliveries."""

    def get(self, request: Request, *, notification_id: str, subscription_id: str | None = None) -> Response:
        event = self.event(self.events(request), notification_id, name="notification")
        rows = _shown(Delivery.objects.filter(event=event).order_by("pk"), request)
        if subscription_id is None:
            return Response(_objects(rows, request))
        delivery = rows.filter(subscription=_number(subscription_id)).first()
        if delivery is None:
            raise NotFound(f"Notification {event.pk} has no delivery to subscription {subscription_id[:40]}")
        return Response(_objects([delivery], request)[0])


class AccountSettingsView(ApiView):
    """/accounts/settings is the caller's own account, whose id is the organization's."""

    def get(self, request: Request, *, account_id: str | None = None) -> Response:
        return Response(account_settings.shown(_account(request, account_id)))

    def patch(self, request: Request, *, account_id: str | None = None) -> Response:
        if not permissions.may_administer(user_of(request)):
            raise NotPermitted("Only an owner changes the settings of the account")
        account = _account(request, account_id)
        columns = account_settings.columns_of(request.data)
        for column, value in columns.items():
            setattr(account, column, value)
        with transaction.atomic():
            account.save(update_fields=columns)
            audited_calls.note(request, "changed the settings", subject="organization", detail=_settings_shown(columns))
        logger.info("account settings changed", extra={"user": user_of(request).pk, "columns": sorted(columns)})
        return Response(account_settings.shown(account))

    post = patch


def organization_of(request: Request) -> Organization:
    organization = user_of(request).organization
    assert organization is not None
    return organization


def shows_bodies(request: Request) -> bool:
    """Notifications hold the records of the organization's customers; a viewer sees that they went, not what."""
    return permissions.may_see_bodies(user_of(request))


def shows_secrets(request: Request) -> bool:
    return permissions.may_see_secrets(user_of(request))


def _number(text: str) -> int:
    """An id out of a path. What cannot be one is 0, which nothing has."""
    return min(int(text), LARGEST_NUMBER) if text.isascii() and text.isdecimal() and len(text) < 40 else 0


def named_instance(request: Request, instance_id: str) -> Instance:
    instance = Instance.objects.filter(pk=_number(instance_id), organization=organization_of(request)).first()
    if instance is None:
        raise NotFound(f"There is no instance {instance_id[:40]}")
    return instance


def named_subscription(request: Request, subscription_id: str) -> Subscription:
    rows = Subscription.objects.filter(organization=organization_of(request))
    subscription = rows.filter(pk=_number(subscription_id)).first()
    if subscription is None:
        raise NotFound(f"There is no subscription {subscription_id[:40]}")
    return subscription


def _account(request: Request, account_id: str | None) -> Organization:
    organization = organization_of(request)
    if account_id is not None and _number(account_id) != organization.pk:
        raise NotFound(f"There is no account {account_id[:40]}")
    return organization


def _note_subscription(request: Request, action: str, subscription: Subscription) -> None:
    audited_calls.note(
        request, action, subject=f"subscription {subscription.pk}", detail=f"of {', '.join(subscription.topics)}"
    )


def _settings_shown(columns: dict[str, Any]) -> str:
    return ", ".join(f"{column} = {value}" for column, value in sorted(columns.items()))


def _is_hydrated(request: Request) -> bool:
    return request.query_params.get("hydrate", "").lower() == "true"


def _shown(rows: QuerySet[Delivery], request: Request) -> QuerySet[Delivery]:
    return rows.select_related("subscription", "event__instance") if _is_hydrated(request) else rows


def _objects(rows: Any, request: Request) -> list[dict[str, Any]]:
    hydrate, shows = _is_hydrated(request), shows_bodies(request)
    secrets = shows_secrets(request)
    return [
        serializers.delivery_object(row, hydrate=hydrate, shows_bodies=shows, shows_secrets=secrets) for row in rows
    ]

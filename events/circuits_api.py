"""How the receiver of a subscription has been doing, and what was done about it."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from events.api import ApiView, named_subscription
from events.models import Circuit, CircuitTransition
from instances.paging import page_of
from instances.serializers import timestamp


class CircuitView(ApiView):
    """GET /notifications/subscriptions/{id}/circuit."""

    def get(self, request: Request, *, subscription_id: str) -> Response:
        subscription = named_subscription(request, subscription_id)
        # A receiver that never failed has none.
        circuit = Circuit.objects.filter(subscription=subscription).first() or Circuit(subscription=subscription)
        return Response(circuit_object(circuit))


class TransitionsView(ApiView):
    """GET /notifications/subscriptions/{id}/transitions, newest first."""

    def get(self, request: Request, *, subscription_id: str) -> Response:
        rows = CircuitTransition.objects.filter(subscription=named_subscription(request, subscription_id))
        page = page_of(rows, request, is_newest_first=True)
        return page.response([transition_object(row) for row in page.rows])


def circuit_object(circuit: Circuit) -> dict[str, Any]:
    moments = {
        "failingSince": circuit.failing_since,
        "openedAt": circuit.opened_at,
        "nextProbeAt": circuit.next_probe_at,
        "pausedUntil": circuit.paused_until,
    }
    return {
        "subscriptionId": circuit.subscription_id,
        "state": circuit.state,
        "failures": circuit.failures,
        "warnedPercent": circuit.warned_percent,
        **{name: timestamp(moment) if moment else None for name, moment in moments.items()},
    }


def transition_object(transition: CircuitTransition) -> dict[str, Any]:
    return {
        "id": transition.pk,
        "kind": transition.kind,
        "reason": transition.reason,
        "happenedDate": timestamp(transition.happened_at),
    }

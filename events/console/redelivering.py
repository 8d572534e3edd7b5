"""Beginning deliveries again from a page, the way the API does, and noting who asked for it."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from events import subscriptions
from events.models import Delivery, Subscription
from instances import audit


def begin(request: HttpRequest, chosen: QuerySet[Delivery]) -> int:
    """Few of them, of the visitor's organization. Deactivated subscriptions among theirs become active. How many."""
    rows = list(chosen.select_related("subscription__instance").order_by("pk"))
    theirs = Subscription.objects.filter(pk__in={row.subscription_id for row in rows})
    count = subscriptions.redeliver(chosen, reactivate=theirs.exclude(url=""))
    for organization_id in sorted({row.organization_id for row in rows}):
        ids = [row.pk for row in rows if row.organization_id == organization_id]
        instances = {row.subscription.instance for row in rows if row.organization_id == organization_id}
        audit.note(
            who=request.user,
            action="redelivered",
            through=audit.CONSOLE,
            organization_id=organization_id,
            instance=next(iter(instances)) if len(instances) == 1 else None,
            subject=f"delivery {ids[0]}" if len(ids) == 1 else f"{len(ids)} deliveries",
            detail="" if len(ids) == 1 else "Deliveries " + ", ".join(map(str, ids)),
        )
    return count

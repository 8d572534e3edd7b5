"""What is registered at the provider for an instance, and the callbacks that came: read, checked now, tried again."""

from __future__ import annotations

import logging

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from events import registration_upkeep
from events.api import ApiView, named_instance, shows_bodies
from events.callback_upkeep import retry_parked
from events.callbacks_serializers import callback_object, registrations_object, with_excerpts
from events.models import Callback, Inbox
from instances import audited_calls
from instances.authentication import user_of
from instances.errors import InvalidRequest
from instances.models import Instance
from instances.paging import page_of

logger = logging.getLogger(__name__)


class RegistrationsView(ApiView):
    """GET and PUT /instances/{id}/registrations."""

    def get(self, request: Request, *, instance_id: str) -> Response:
        return self._answer(request, named_instance(request, instance_id))

    def put(self, request: Request, *, instance_id: str) -> Response:
        """Compare with the provider now. What takes longer than a few seconds goes on behind the answer."""
        instance = named_instance(request, instance_id)
        inbox = Inbox.objects.filter(instance=instance).first()
        if inbox is None:
            raise InvalidRequest(f"Instance {instance.pk} has no callbacks: its changes are found by polling")
        registration_upkeep.check_now(inbox)
        audited_calls.note(request, "had registrations compared", instance=instance)
        logger.info("check of registrations asked for", extra={"user": user_of(request).pk, "instance": instance.pk})
        instance.refresh_from_db()
        return self._answer(request, instance)

    def _answer(self, request: Request, instance: Instance) -> Response:
        return Response(registrations_object(instance, shows_address=shows_bodies(request)))


class CallbacksView(ApiView):
    """GET and PUT /instances/{id}/callbacks?state=..."""

    def get(self, request: Request, *, instance_id: str) -> Response:
        rows = Callback.objects.filter(instance=named_instance(request, instance_id))
        state = request.query_params.get("state", "")
        if state:
            if state not in Callback.STATES:
                raise InvalidRequest(f"state: there are {', '.join(Callback.STATES)}")
            rows = rows.filter(state=state)
        page = page_of(with_excerpts(rows), request, is_newest_first=True)
        shows = shows_bodies(request)
        return page.response([callback_object(row, shows_bodies=shows) for row in page.rows])

    def put(self, request: Request, *, instance_id: str) -> Response:
        """Try parked callbacks again. Answers with how many, in Elements-Total-Count."""
        instance = named_instance(request, instance_id)
        if request.query_params.get("state", "") != Callback.PARKED:
            raise InvalidRequest(f"state: only {Callback.PARKED} callbacks can be tried again; send ?state=parked")
        with transaction.atomic():
            count = retry_parked(instance_ids=[instance.pk])
            audited_calls.note(request, "tried parked callbacks again", instance=instance, subject=f"{count} callbacks")
        logger.info("callbacks tried again", extra={"user": user_of(request).pk, "callbacks": count})
        return Response({}, headers={"Elements-Total-Count": str(count)})

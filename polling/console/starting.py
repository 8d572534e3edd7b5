"""Start again what failures stopped: as enabling the instance does over the API, which forgets what held it up."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse

from connectors.errors import ConnectorError
from instances import provisioning
from instances.errors import PlatformError
from polling.console import asked_poller


def view(request: HttpRequest, pk: int) -> HttpResponse:
    cursor = asked_poller.poller_to_operate(request, pk)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    page = redirect(reverse("admin:polling_pollcursor_change", args=[cursor.pk]))
    if cursor.instance.is_disabled:
        messages.warning(request, "The instance is disabled; enable it on its page first.")
        return page
    try:
        provisioning.enable(instance_id=cursor.instance_id)
    except (PlatformError, ConnectorError) as error:
        said = f" ({error.provider_message})" if error.provider_message else ""
        messages.error(request, f"It could not be started: {error}{said}")
    else:
        asked_poller.note(request, cursor, "started polling again")
        messages.success(request, "Every poller of this instance goes on where it stood, beginning now.")
    return page

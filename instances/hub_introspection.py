"""What the hub API tells about itself: the resources of the token's instance, and whether the provider answers.

[/hubs/{hub}]/objects     [/hubs/{hub}]/ping
"""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from connectors.connection import Connection
from instances.authentication import instance_of
from instances.configuration import connection_of
from instances.hub_call import HubCallView

DETAILED_VERSION = "helium"


class ObjectsView(HubCallView):
    """The names of what can be listed; in detail for `Elements-Version: Helium`."""

    http_method_names = ("get", "head")
    answers_while_disabled = True

    def get(self, request: Request, **path: str) -> Response:
        version = request.headers.get("Elements-Version", "")
        objects = objects_of(connection_of(instance_of(request)))
        return Response(objects if version.lower() == DETAILED_VERSION else [one["name"] for one in objects])


class PingView(HubCallView):
    """Asks the provider whether the credentials are good."""

    http_method_names = ("get", "head")

    def get(self, request: Request, **path: str) -> Response:
        connection = connection_of(instance_of(request))
        moment = connection.client().check()
        return Response({"endpoint": connection.element.key, "valid": True, "dateTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"})


def objects_of(connection: Connection) -> list[dict[str, Any]]:
    """Each resource with where it comes from; the instance's own hide those of the element that have their names."""
    declared = {
        resource.name: {"name": resource.name, "vendorName": resource.path.strip("/"), "type": "ceCanonical"}
        for resource in connection.element.resources
        if not resource.parent
    }
    own = {
        name: {"name": name, "vendorName": transformation.resource, "type": "vdr"}
        for name, transformation in connection.transformations.items()
    }
    found = declared | own
    return [found[name] for name in sorted(found)]

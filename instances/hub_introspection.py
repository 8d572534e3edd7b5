"""What the hub API tells about itself: the resources of the token's instance, and whether the provider answers.

[/hubs/{hub}]/objects[/{name}/metadata | /{name}/docs]     [/hubs/{hub}]/ping
"""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from connectors import hub_paths
from connectors.connection import Connection
from connectors.errors import UnknownResource
from connectors.hub_paths import Target
from instances.authentication import instance_of
from instances.configuration import connection_of
from instances.element_docs import object_docs
from instances.errors import NotFound
from instances.hub_call import HubCallView
from instances.object_metadata import object_metadata

DETAILED_VERSION = "helium"


class ObjectsView(HubCallView):
    """The names of what can be listed; in detail for `Elements-Version: Helium`."""

    http_method_names = ("get", "head")
    lets_viewers = True
    answers_while_disabled = True

    def get(self, request: Request, **path: str) -> Response:
        version = request.headers.get("Elements-Version", "")
        objects = objects_of(connection_of(instance_of(request)))
        return Response(objects if version.lower() == DETAILED_VERSION else [one["name"] for one in objects])


class ObjectMetadataView(HubCallView):
    """The fields of one object, `incidents` or `incidents/comments`."""

    http_method_names = ("get", "head")
    lets_viewers = True

    def get(self, request: Request, *, object_name: str, **path: str) -> Response:
        custom_only = request.query_params.get("customFieldsOnly", "").lower() == "true"
        target = _object(connection_of(instance_of(request)), object_name)
        return Response(object_metadata(target, custom_only=custom_only))


class ObjectDocsView(HubCallView):
    """The part of the instance's Swagger document that is about one object."""

    http_method_names = ("get", "head")
    lets_viewers = True

    def get(self, request: Request, *, object_name: str, **path: str) -> Response:
        connection = connection_of(instance_of(request))
        target = _object(connection, object_name)
        if target.resource.is_vendors or target.resource.parent:
            raise NotFound(f"There are no documents of {object_name[:100]}; GET /objects names what has some")
        return Response(object_docs(connection.element, object_name, transformations=connection.transformations))


class PingView(HubCallView):
    """Asks the provider whether the credentials are good."""

    http_method_names = ("get", "head")
    lets_viewers = True

    def get(self, request: Request, **path: str) -> Response:
        connection = connection_of(instance_of(request))
        moment = connection.client().check()
        return Response({"endpoint": connection.element.key, "valid": True, "dateTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"})


def objects_of(connection: Connection) -> list[dict[str, Any]]:
    """Each object with where it comes from. The instance's own hide those of the element that have their names."""
    element = connection.element
    vendors = {name: _entry(name, path.strip("/"), "vendor") for name, path in element.vendor_objects.items()}
    declared = {
        one.name: _entry(one.name, one.path.strip("/"), "ceCanonical") for one in element.resources if not one.parent
    }
    own = {name: _entry(name, one.resource, "vdr") for name, one in connection.transformations.items()}
    found = vendors | declared | own
    return [found[name] for name in sorted(found)]


def _entry(name: str, vendor_name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "vendorName": vendor_name, "type": kind}


def _object(connection: Connection, name: str) -> Target:
    """What is listed by `objects_of`, or belongs to records of that: the parent's id stands for itself.

    Raises NotFound.
    """
    unknown = NotFound(f"There is no object {name[:100]}; GET /objects lists those of this instance")
    try:
        if "/" in name:
            return Target(collection=name, resource=connection.element.resource(name))
        if name in {one["name"] for one in objects_of(connection)}:
            return hub_paths.locate(connection.element, [name], transformations=connection.transformations)
    except (KeyError, UnknownResource):
        raise unknown from None
    raise unknown

"""The catalogue of hubs, and documents of what can be asked for under them."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import registry
from connectors.element import Element
from instances.api import number
from instances.authentication import NeedsAllThree, instance_of, user_of
from instances.catalogue import element_object
from instances.catalogue_api import OpenView
from instances.configuration import connection_of
from instances.element_docs import swagger
from instances.errors import InvalidRequest, NotFound
from instances.hub_catalogue import by_hub, hub_object
from instances.models import Instance


class HubsView(OpenView):
    def get(self, request: Request) -> Response:
        is_hydrated = request.query_params.get("hydrate", "").lower() == "true"
        hubs = by_hub(registry.all_elements())
        return Response([hub_object(key, elements, is_hydrated=is_hydrated) for key, elements in hubs.items()])


class HubKeysView(OpenView):
    def get(self, request: Request) -> Response:
        return Response(list(by_hub(registry.all_elements())))


class OneHubView(OpenView):
    def get(self, request: Request, hub_key: str) -> Response:
        return Response(hub_object(hub_key, _elements_of(hub_key), is_hydrated=True))


class HubElementsView(OpenView):
    def get(self, request: Request, hub_key: str) -> Response:
        return Response([element_object(element) for element in _elements_of(hub_key)])


class ElementDocsView(OpenView):
    """Swagger 2.0 of everything that an instance of the element can be asked for."""

    def get(self, request: Request, key_or_id: str) -> Response:
        return Response(swagger(registry.element(key_or_id)))


class InstanceDocsView(APIView):
    """The same of one instance, with the resources that it has under names of its own. By id."""

    def get(self, request: Request, instance_id: str) -> Response:
        rows = Instance.objects.filter(organization=user_of(request).organization)
        instance = rows.filter(pk=number(instance_id)).first()
        if instance is None:
            raise NotFound(f"There is no instance {instance_id[:40]}")
        return Response(_docs_of(instance))


class TokenDocsView(APIView):
    """By token."""

    permission_classes = (NeedsAllThree,)

    def get(self, request: Request) -> Response:
        return Response(_docs_of(instance_of(request)))


class OAuthUrlView(APIView):
    """Where people would be sent to let us in. No element of ours sends them anywhere."""

    def get(self, request: Request, key_or_id: str) -> Response:
        element = registry.element(key_or_id)
        raise InvalidRequest(
            f"{element.key} uses no OAuth; GET /elements/{element.key}/configuration lists what POST /instances needs"
        )

    post = get


def _docs_of(instance: Instance) -> dict[str, Any]:
    connection = connection_of(instance)
    return swagger(connection.element, transformations=connection.transformations)


def _elements_of(hub: str) -> list[Element]:
    """Raises NotFound."""
    hubs = by_hub(registry.all_elements())
    if hub not in hubs:
        raise NotFound(f"There is no hub {hub[:100]}; GET /hubs/keys lists {', '.join(hubs)}")
    return hubs[hub]

"""The catalogue of elements. Open to anybody: credentials are not even looked at."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import registry
from connectors.configuration_entries import entries_of
from instances.catalogue import configuration_entry, element_object, metadata


class OpenView(APIView):
    authentication_classes = ()
    permission_classes = ()


class ElementsView(OpenView):
    def get(self, request: Request) -> Response:
        return Response([element_object(element) for element in registry.all_elements()])


class ElementKeysView(OpenView):
    def get(self, request: Request) -> Response:
        return Response([element.key for element in registry.all_elements()])


class ElementsMetadataView(OpenView):
    def get(self, request: Request) -> Response:
        return Response([metadata(element, is_expanded=_is_expanded(request)) for element in registry.all_elements()])


class ElementView(OpenView):
    def get(self, request: Request, key_or_id: str) -> Response:
        return Response(element_object(registry.element(key_or_id)))


class ElementConfigurationView(OpenView):
    def get(self, request: Request, key_or_id: str) -> Response:
        return Response([configuration_entry(entry) for entry in entries_of(registry.element(key_or_id))])


class ElementMetadataView(OpenView):
    def get(self, request: Request, key_or_id: str) -> Response:
        return Response(metadata(registry.element(key_or_id), is_expanded=_is_expanded(request)))


def _is_expanded(request: Request) -> bool:
    return request.query_params.get("expand", "").lower() == "true"

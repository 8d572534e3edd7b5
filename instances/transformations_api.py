"""Objects of an instance's own over HTTP: their definitions, and the transformations that fill them. By id or token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from instances import audited_calls, own_objects, provisioning
from instances.api import InstanceFinder
from instances.authentication import NeedsAllThree
from instances.own_objects import Decision

LEVEL: Final = "instance"
"""Others (organization, account) there are none."""


class DefinitionsView(InstanceFinder):
    """All of the instance, by the object's name."""

    def get(self, request: Request, **path: str) -> Response:
        stored = self.found(request, path).object_definitions
        return Response({name: definition_object(name, one) for name, one in stored.items()})


class DefinitionView(InstanceFinder):
    """One: POST makes it, PUT replaces it."""

    def get(self, request: Request, **path: str) -> Response:
        return _definition(self.found(request, path).object_definitions, path["name"])

    def post(self, request: Request, **path: str) -> Response:
        return self._changed(request, path, own_objects.define(path["name"], request.data, is_new=True))

    def put(self, request: Request, **path: str) -> Response:
        return self._changed(request, path, own_objects.define(path["name"], request.data, is_new=False))

    def delete(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        with transaction.atomic():
            provisioning.change_objects(instance_id=instance.pk, decide=own_objects.undefine(path["name"]))
            audited_calls.note(request, "deleted the definition", instance=instance, subject=path["name"])
        return Response()

    def _changed(self, request: Request, path: dict[str, str], decide: Decision) -> Response:
        with transaction.atomic():
            instance = provisioning.change_objects(instance_id=self.found(request, path).pk, decide=decide)
            audited_calls.note(request, "set the definition", instance=instance, subject=path["name"])
        return _definition(instance.object_definitions, path["name"])


class TransformationsView(InstanceFinder):
    """All of the instance, by the object's name."""

    def get(self, request: Request, **path: str) -> Response:
        stored = self.found(request, path).transformations
        return Response({name: transformation_object(name, one) for name, one in stored.items()})


class TransformationView(InstanceFinder):
    """One: POST makes it, PUT replaces it."""

    def get(self, request: Request, **path: str) -> Response:
        return _transformation(self.found(request, path).transformations, path["name"])

    def post(self, request: Request, **path: str) -> Response:
        return self._changed(request, path, own_objects.transform(path["name"], request.data, is_new=True))

    def put(self, request: Request, **path: str) -> Response:
        return self._changed(request, path, own_objects.transform(path["name"], request.data, is_new=False))

    def delete(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        with transaction.atomic():
            provisioning.change_objects(instance_id=instance.pk, decide=own_objects.untransform(path["name"]))
            audited_calls.note(request, "deleted the transformation", instance=instance, subject=path["name"])
        return Response()

    def _changed(self, request: Request, path: dict[str, str], decide: Decision) -> Response:
        with transaction.atomic():
            instance = provisioning.change_objects(instance_id=self.found(request, path).pk, decide=decide)
            audited_calls.note(request, "set the transformation", instance=instance, subject=path["name"])
        return _transformation(instance.transformations, path["name"])


class TokenDefinitionsView(DefinitionsView):
    """By token."""

    permission_classes = (NeedsAllThree,)


class TokenDefinitionView(DefinitionView):
    """By token."""

    permission_classes = (NeedsAllThree,)


class TokenTransformationsView(TransformationsView):
    """By token."""

    permission_classes = (NeedsAllThree,)


class TokenTransformationView(TransformationView):
    """By token."""

    permission_classes = (NeedsAllThree,)


def definition_object(name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"objectName": name, "level": LEVEL, "fields": stored["fields"]}


def transformation_object(name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"objectName": name, "level": LEVEL, "vendorName": stored["vendorName"], "fields": stored["fields"]}


def _definition(stored: Mapping[str, Mapping[str, Any]], name: str) -> Response:
    return Response(definition_object(name, own_objects.named("definition", name, stored)))


def _transformation(stored: Mapping[str, Mapping[str, Any]], name: str) -> Response:
    return Response(transformation_object(name, own_objects.named("transformation", name, stored)))

"""Objects of an instance's own: definitions and transformations."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from instances import transformations_api as api

# Those by token come first: `objects` and `transformations` are no ids.
urlpatterns: list[URLPattern | URLResolver] = [
    path("instances/objects/definitions", api.TokenDefinitionsView.as_view()),
    path("instances/objects/<str:name>/definitions", api.TokenDefinitionView.as_view()),
    path("instances/transformations", api.TokenTransformationsView.as_view()),
    path("instances/transformations/<str:name>", api.TokenTransformationView.as_view()),
    path("instances/<str:instance_id>/objects/definitions", api.DefinitionsView.as_view()),
    path("instances/<str:instance_id>/objects/<str:name>/definitions", api.DefinitionView.as_view()),
    path("instances/<str:instance_id>/transformations", api.TransformationsView.as_view()),
    path("instances/<str:instance_id>/transformations/<str:name>", api.TransformationView.as_view()),
]

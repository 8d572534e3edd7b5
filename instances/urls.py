"""The platform's own paths: accounts, catalogue, instances. `tests/instances/test_urls.py` walks every one of them."""

from django.urls import URLPattern, path

from instances import accounts_api, api, catalogue_api

urlpatterns: list[URLPattern] = [
    path("authentication", accounts_api.AuthenticationView.as_view()),
    path("authentication/secrets", accounts_api.SecretsView.as_view()),
    path("elements", catalogue_api.ElementsView.as_view()),
    path("elements/keys", catalogue_api.ElementKeysView.as_view()),
    path("elements/metadata", catalogue_api.ElementsMetadataView.as_view()),
    path("elements/<str:key_or_id>", catalogue_api.ElementView.as_view()),
    path("elements/<str:key_or_id>/configuration", catalogue_api.ElementConfigurationView.as_view()),
    path("elements/<str:key_or_id>/metadata", catalogue_api.ElementMetadataView.as_view()),
    path("elements/<str:key_or_id>/instances", api.InstancesView.as_view()),
    path("elements/<str:key_or_id>/instances/<str:instance_id>", api.InstanceView.as_view()),
    path("instances", api.InstancesView.as_view()),
    path("instances/count", api.InstanceCountView.as_view()),
    path("instances/enabled", api.TokenEnabledView.as_view()),
    path("instances/configuration", api.TokenConfigurationView.as_view()),
    path("instances/configuration/<str:entry_id>", api.TokenConfigurationEntryView.as_view()),
    path("instances/<str:instance_id>", api.InstanceView.as_view()),
    path("instances/<str:instance_id>/enabled", api.EnabledView.as_view()),
    path("instances/<str:instance_id>/configuration", api.ConfigurationView.as_view()),
    path("instances/<str:instance_id>/configuration/<str:entry_id>", api.ConfigurationEntryView.as_view()),
]

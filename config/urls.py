"""Which road leads where."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from config.openapi import pages

admin.autodiscover()


def home(request: HttpRequest) -> HttpResponse:
    return redirect("/console/")


urlpatterns = [
    path("", home),
    path("console/", admin.site.urls),
    path("elements/api-docs", pages.page),
    path("elements/api-docs/", pages.page),
    path("elements/api-docs/openapi.json", pages.openapi_json),
    *(
        path("elements/api-v2/", include(paths))
        for paths in (
            "polling.bulk_urls",
            "polling.job_urls",
            "events.notification_urls",
            "events.urls",
            "instances.transformation_urls",
            "instances.usage_urls",
            "instances.hub_catalogue_urls",
            "instances.urls",
        )
    ),
    # Whatever no platform path took is a resource of the token's instance.
    path("elements/api-v2/", include("instances.hub_urls")),
]

handler400 = "config.page_problems.bad_request"
handler403 = "config.page_problems.forbidden"
handler404 = "config.page_problems.not_found"
handler500 = "config.page_problems.server_error"

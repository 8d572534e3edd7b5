"""The peer of the receiver: a Django view that inserts the row of a callback with the ORM and does nothing else.

It is its own URL configuration and WSGI application. With `BARE_MIDDLEWARE=default` requests go through the middleware
of a new Django project, otherwise through none.
"""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = "benchmarks.bare"
settings.MIDDLEWARE = (
    [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    if os.environ.get("BARE_MIDDLEWARE") == "default"
    else []
)
application = get_wsgi_application()

from events.models import Callback  # noqa: E402  # Django is set up only now


@csrf_exempt
def insert(request: HttpRequest, instance_id: int) -> HttpResponse:
    Callback.objects.create(
        instance_id=instance_id,
        method="POST",
        query=request.META["QUERY_STRING"],
        content_type=request.headers.get("Content-Type", ""),
        signature=request.headers.get("X-Content-Signature", ""),
        body=request.body,
    )
    return JsonResponse({})


urlpatterns = [path("elements/api-v2/events/connectwisehd/<int:instance_id>", insert)]

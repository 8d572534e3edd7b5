"""Where providers post to, relative to the API's own path."""

from django.urls import URLPattern, re_path

from events.receive import receive

# Everything behind it is read by `addressing`: providers glue things to the path.
urlpatterns: list[URLPattern] = [re_path(r"^events/(?P<path>(?s:.*))$", receive)]

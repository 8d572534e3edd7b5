"""The pages in which instances are created and edited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models.expressions import Func
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from connectors import registry
from connectors.element import Element
from connectors.errors import ConnectorError
from instances import provisioning
from instances.console import form_data, form_problems, form_request, instance_form, page, poller_fields
from instances.console.form_problems import Problem
from instances.console.instance_form import Form, Sent
from instances.console.lists import may_operate
from instances.console.scope import scope_of
from instances.encryption import KeyMissing
from instances.errors import PlatformError
from instances.models import Instance

REAUTHENTICATE = "reauthenticate"
"""In the query of the edit page."""
MOST_TAGS = 200
"""That are offered to pick from."""
UNPROCESSABLE = 422

_PLACES = ("provider", "provider_optional", "switch", "events", "polling", "webhook", "events_optional")


def urls() -> list[URLPattern]:
    """Below the list of instances."""
    routes: Sequence[tuple[str, Callable[..., HttpResponse], str]] = (
        ("add/", catalogue_view, "add"),
        ("add/<str:element_key>/", form_view, "create"),
        ("add/<str:element_key>/try/", try_view, "create_try"),
        ("add/<str:element_key>/request/", request_view, "create_request"),
        ("<int:instance_id>/edit/", form_view, "edit"),
        ("<int:instance_id>/edit/try/", try_view, "edit_try"),
        ("<int:instance_id>/edit/request/", request_view, "edit_request"),
        ("<int:instance_id>/created/", created_view, "created"),
    )
    return [
        path(pattern, admin.site.admin_view(view), name=f"instances_instance_{name}") for pattern, view, name in routes
    ]


@require_safe
def catalogue_view(request: HttpRequest) -> HttpResponse:
    """The elements to choose from."""
    _check_role(request)
    return page.page(
        request,
        "console/instance_form/catalogue.html",
        title="Create an instance",
        elements=registry.all_elements(),
        has_organization=_has_organization(request),
    )


@sensitive_post_parameters()
def form_view(request: HttpRequest, **which: Any) -> HttpResponse:
    form = _form(request, **which)
    if isinstance(form, HttpResponseRedirect):
        return form
    if request.method != "POST":
        return _form_page(request, form, instance_form.drawn(form))
    sent = instance_form.with_overtaken(form, instance_form.sent(form, request.POST))
    if not form.is_new and sent.wanted.is_empty and not sent.problems:
        messages.info(request, "Nothing was changed.")
        return _gone_to(request, "change", form.instance)
    if not sent.problems:
        try:
            saved = instance_form.save(form, sent.wanted, user=_user(request))
        except (PlatformError, ConnectorError, KeyMissing) as error:
            sent = replace(sent, problems=_said(error, form))
        else:
            if form.is_new:
                return _gone_to(request, "created", saved)
            messages.success(request, f"{saved.name} was changed.")
            return _gone_to(request, "change", saved)
    if _is_htmx(request):
        return _fragment(request, "report.html", form, sent)
    return _form_page(request, form, sent, status=UNPROCESSABLE)


@require_POST
@sensitive_post_parameters()
def try_view(request: HttpRequest, **which: Any) -> HttpResponse:
    """Asks the provider whether it takes these credentials. Nothing is kept."""
    form = _form(request, **which)
    if isinstance(form, HttpResponseRedirect):
        return form
    sent = instance_form.sent(form, request.POST)
    own = {one.key for one in form.fields if one.place.startswith("provider")}
    sent = replace(sent, problems=[problem for problem in sent.problems if problem.key in own])
    clock = None
    if not sent.problems:
        configuration = {key: value for key, value in sent.wanted.configuration.items() if key in own}
        try:
            clock = provisioning.try_out(element=form.element, configuration=configuration, instance=form.instance)
        except (PlatformError, ConnectorError, KeyMissing) as error:
            sent = replace(sent, problems=_said(error, form))
    if _is_htmx(request):
        return _fragment(request, "tried.html", form, sent, clock=clock)
    return _form_page(request, form, sent, was_tried=True, clock=clock)


@require_POST
@sensitive_post_parameters()
def request_view(request: HttpRequest, **which: Any) -> HttpResponse:
    """While somebody types: the API request of what is typed so far, and advice on it."""
    form = _form(request, **which)
    if isinstance(form, HttpResponseRedirect):
        return form
    sent = instance_form.sent(form, request.POST, typed_so_far=True)
    has_secrets = "with-secrets" in request.POST
    return _fragment(request, "typed.html", form, sent, has_secrets=has_secrets)


@require_safe
def created_view(request: HttpRequest, instance_id: int) -> HttpResponse:
    """What to do with a new instance."""
    instance = page.instance_or_404(request, instance_id)
    _check_role(request)
    return page.instance_page(request, instance, "console/instance_form/created.html", tab="")


def _form(request: HttpRequest, *, element_key: str = "", instance_id: int = 0) -> Form | HttpResponseRedirect:
    if not instance_id:
        _check_role(request)
        if not _has_organization(request):
            raise PermissionDenied("You belong to no organization, so there is none to create an instance for")
        return instance_form.new_form(_element(element_key))
    instance = page.instance_or_404(request, instance_id)
    _check_role(request)
    if REAUTHENTICATE in request.GET:
        return instance_form.reauthentication_form(instance)
    try:
        return instance_form.edit_form(instance)
    except KeyMissing:
        messages.warning(
            request,
            "The secrets of this instance cannot be read: the key that they were encrypted with is missing from "
            "FERNET_KEYS. Whoever runs this platform can put it back; or type them again here.",
        )
        return redirect(f"{reverse('admin:instances_instance_edit', args=[instance.pk])}?{REAUTHENTICATE}")


def _form_page(
    request: HttpRequest,
    form: Form,
    sent: Sent,
    *,
    status: int = 200,
    was_tried: bool = False,
    clock: datetime | None = None,
) -> HttpResponse:
    title = f"Create an instance of {form.element.name}"
    if form.instance is not None:
        title = f"{'Re-authenticate' if form.is_reauthentication else 'Edit'} {form.instance.name}"
    return page.page(
        request,
        "console/instance_form/form.html",
        title=title,
        status=status,
        tags_to_pick=_tags(request),
        script_data=poller_fields.script_data(form.element),
        zones=poller_fields.ZONES,
        formats=poller_fields.FORMATS,
        was_tried=was_tried,
        clock=clock,
        **_context(form, sent),
    )


def _fragment(
    request: HttpRequest,
    template: str,
    form: Form,
    sent: Sent,
    *,
    has_secrets: bool = False,
    clock: datetime | None = None,
) -> HttpResponse:
    """What htmx puts into the page; where there is something to say about a field, it goes to the field."""
    shown = {**_context(form, sent, has_secrets=has_secrets), "clock": clock}
    return TemplateResponse(request, f"console/instance_form/{template}", shown)


def _context(form: Form, sent: Sent, *, has_secrets: bool = False) -> dict[str, Any]:
    advice = form_problems.advice_of(sent.wanted, form.before)
    fields = [replace(one, value="" if one.is_secret else sent.typed.values[one.key]) for one in form.fields]
    fields = form_problems.told(fields, sent.problems, advice)
    problem_of = {problem.key: problem.at_field for problem in reversed(sent.problems)}
    labels = {one.key: one.label for one in fields} | {form_data.NAME: "Name", form_data.TAGS: "Element Instance Tags"}
    ids = {one.key: one.id for one in fields} | {form_data.NAME: "field-name", form_data.TAGS: "field-tags"}
    which = "create" if form.instance is None else "edit"
    args = [form.element.key] if form.instance is None else [form.instance.pk]
    return {
        "form": form,
        "sent": sent,
        "fields": fields,
        "in_place": {place: [one for one in fields if one.place == place] for place in _PLACES},
        "poller_field": next((one for one in fields if one.kind == "pollers"), None),
        "name_problem": problem_of.get(form_data.NAME, ""),
        "tags_problem": problem_of.get(form_data.TAGS, ""),
        "problems": [
            {
                "fields": [{"label": labels[key], "id": ids[key]} for key in (one.key, *one.others) if key in ids],
                "text": one.at_field if one.key in ids else one.message,
                "said": one.provider_message,
            }
            for one in sent.problems
        ],
        "has_typed_secrets": any(one.is_secret and sent.typed.values[one.key] for one in form.fields),
        "has_secrets": has_secrets,
        "request_text": form_request.curl(
            sent.wanted, form.fields, element=form.element, instance=form.instance, has_secrets=has_secrets
        ),
        "query": f"?{REAUTHENTICATE}" if form.is_reauthentication else "",
        "form_url": reverse(f"admin:instances_instance_{which}", args=args),
    }


def _said(error: Exception, form: Form) -> list[Problem]:
    if isinstance(error, KeyMissing):
        return [Problem(message=f"Nothing was changed: {error}. Re-authenticate the instance.")]
    said = str(getattr(error, "provider_message", ""))
    return form_problems.problems_said(str(error), said, form.fields)


def _gone_to(request: HttpRequest, where: str, instance: Instance | None) -> HttpResponse:
    assert instance is not None
    url = reverse(f"admin:instances_instance_{where}", args=[instance.pk])
    if _is_htmx(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def _check_role(request: HttpRequest) -> None:
    if not may_operate(request):
        raise PermissionDenied("Your role lets you look at instances, not change them; ask an owner or an operator")


def _has_organization(request: HttpRequest) -> bool:
    return _user(request).organization_id is not None


def _user(request: HttpRequest) -> Any:
    return request.user


def _element(key: str) -> Element:
    try:
        return registry.element(key)
    except registry.UnknownElement:
        raise Http404("There is no such element") from None


def _tags(request: HttpRequest) -> list[str]:
    rows = scope_of(request).of(Instance.objects.all())
    tags = rows.annotate(tag=Func("tags", function="unnest")).values_list("tag", flat=True).distinct()
    return sorted(tags[:MOST_TAGS], key=str.casefold)


def _is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))

"""The two secrets of an instance that people get to see: its token, on request, and a signature key, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone

from instances import permissions, signing_keys
from instances.console import instance_writes, page
from instances.console.instance_writes import Refusal, refusal_of
from instances.console.lists import is_staff, may_operate
from instances.console.page import instance_or_404
from instances.encryption import KeyMissing, fingerprint
from instances.event_settings import LONGEST_OVERLAP_HOURS
from instances.models import Instance
from instances.signing_keys import SigningKey

NO_STORE = "no-store"


def token_view(request: HttpRequest, instance_id: int) -> HttpResponseBase:
    """POST answers the token for the page to show; never part of a page before, and kept by no cache."""
    instance = instance_or_404(request, instance_id)
    if not (is_staff(request) and permissions.may_see_secrets(request.user)):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    token, refusal = "", None
    try:
        token = instance_writes.token_for(request, instance)
    except KeyMissing as error:
        refusal = refusal_of(error)
    answer = render(request, "console/instances/token.html", {"instance": instance, "token": token, "refusal": refusal})
    answer["Cache-Control"] = NO_STORE
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What signs at this moment."""

    count: int = 0
    ends: tuple[SigningKey, ...] = ()
    """Replaced ones that still sign; each says until when."""
    is_lost: bool = False
    """They cannot be read: the key that encrypted them is missing."""


def keys_of(instance: Instance) -> Keys:
    try:
        keys = signing_keys.read(instance.signing_keys_encrypted)
    except KeyMissing:
        return Keys(is_lost=True)
    now = timezone.now()
    return Keys(count=len(keys), ends=tuple(key for key in keys if key.ends_at and now < key.ends_at))


def signature_key_view(request: HttpRequest, instance_id: int) -> HttpResponseBase:
    """GET explains, POST makes a new key and shows it this once."""
    instance = instance_or_404(request, instance_id)
    if not may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return _key_page(request, instance)
    # Somebody who sends the form twice, or reloads the answer, would drive out the key they were just shown.
    if request.POST.get("seen") != _state_of_keys(instance):
        return _key_page(request, instance, wrong="The key has been changed meanwhile; nothing was done. Look again.")
    hours = request.POST.get("hours", "")
    if not hours.isascii() or not hours.isdecimal() or len(hours) > 4 or int(hours) > LONGEST_OVERLAP_HOURS:
        return _key_page(request, instance, wrong=f"Send whole hours from 0 to {LONGEST_OVERLAP_HOURS}.", hours=hours)
    try:
        key = instance_writes.rotate_signature_key(request, instance, overlap=timedelta(hours=int(hours)))
    except instance_writes.REFUSALS as error:
        return _key_page(request, instance, refusal=refusal_of(error))
    changed = instance_or_404(request, instance_id)
    return _key_page(request, changed, key=key, had_one=bool(instance.signing_keys_encrypted))


def _key_page(
    request: HttpRequest,
    instance: Instance,
    *,
    key: str = "",
    had_one: bool = False,
    wrong: str = "",
    hours: str = "",
    refusal: Refusal | None = None,
) -> HttpResponse:
    answer = page.instance_page(
        request,
        instance,
        "console/instances/signature_key.html",
        tab="overview",
        key=key,
        had_one=had_one,
        wrong=wrong,
        refusal=refusal,
        keys=keys_of(instance),
        hours=hours or instance.signing_overlap_hours,
        longest_hours=LONGEST_OVERLAP_HOURS,
        seen=_state_of_keys(instance),
    )
    answer["Cache-Control"] = NO_STORE
    return answer


def _state_of_keys(instance: Instance) -> str:
    """Another one after every change; says nothing about the keys."""
    return fingerprint(instance.signing_keys_encrypted)[:32]

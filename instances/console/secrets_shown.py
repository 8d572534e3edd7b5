"""The secrets that people call the API with: shown when they ask, and changed. Caches keep no page of the site."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from instances import accounts, audit
from instances.accounts import Account
from instances.console.page import add_route, page
from instances.encryption import KeyMissing
from instances.errors import NotPermitted
from instances.models import User


def own_secrets_view(request: HttpRequest) -> HttpResponse:
    """What this person's programs call the API with. GET explains, POST shows it or makes another one."""
    user = request.user
    assert isinstance(user, User)
    account: Account | None = None
    problem = ""
    is_new = False
    asked = request.POST.get("do")
    try:
        if asked == "rotate" and request.POST.get("sure") != "yes":
            problem = "Nothing was changed: say that you know that programs have to be told."
        elif asked == "rotate" and request.POST.get("seen") != (user.secret_hash or "")[:32]:
            problem = "It has been changed meanwhile; nothing was done. Look again."
        elif asked in ("show", "rotate"):
            with transaction.atomic():
                if asked == "rotate":
                    accounts.rotate_secret_of(user)
                account, is_new = accounts.secrets_of(user), asked == "rotate"
                _note(user, "changed their secret" if is_new else "looked at their secrets")
    except (KeyMissing, NotPermitted) as refused:
        user.refresh_from_db()  # what was begun is undone
        problem = str(refused)
        if isinstance(refused, KeyMissing):
            problem = "They cannot be read: the key that they were encrypted with is missing from FERNET_KEYS."
    return page(
        request,
        "console/people/own_secrets.html",
        title="API secrets",
        account=account,
        problem=problem,
        is_new=is_new,
        seen=(user.secret_hash or "")[:32],
    )


def _note(user: User, action: str) -> None:
    audit.note(who=user, action=action, through=audit.CONSOLE, organization_id=user.organization_id)


add_route("secrets/", own_secrets_view, name="own_secrets")

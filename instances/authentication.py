"""Who is calling: the `Authorization` header, credential by credential.

    Authorization: User <secret>, Organization <secret>[, Element <token>]

The order is free, keywords in any case, `Token` stands for `Element`, unknown keywords are passed over. Secrets are
cut at the comma only: they hold `=`, `+` and `/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from instances.encryption import fingerprint
from instances.errors import NotAuthenticated
from instances.models import Instance, Organization, User

if TYPE_CHECKING:
    from rest_framework.views import APIView

KEYWORDS = {"user": "user", "organization": "organization", "element": "element", "token": "element"}
_CREDENTIAL = re.compile(r"\s*([A-Za-z]+)\s+(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, once authenticated. What is None was not presented, or proved nothing."""

    user: User | None
    organization: Organization | None
    instance: Instance | None


def parse(header: str) -> Mapping[str, str]:
    """The secrets of the header by `user`, `organization`, `element`. Raises NotAuthenticated for a malformed one."""
    presented: dict[str, str] = {}
    for part in header.split(","):
        credential = _CREDENTIAL.fullmatch(part)
        if credential is None:
            raise NotAuthenticated(
                "The Authorization header is malformed; it reads: User <secret>, Organization <secret>"
            )
        if (kind := KEYWORDS.get(credential[1].lower())) is not None:
            presented.setdefault(kind, credential[2])
    return presented


class SecretAuthentication(BaseAuthentication):
    """Finds the principal; what a path needs of it is said by the permission classes below."""

    def authenticate(self, request: Request) -> tuple[User | None, Principal] | None:
        header = request.headers.get("Authorization", "")
        if not header.strip():
            return None
        presented = parse(header)
        user = organization = instance = None
        if "user" in presented:
            user = (
                User.objects.select_related("organization")
                .filter(secret_hash=fingerprint(presented["user"]), is_active=True)
                .first()
            )
        if "organization" in presented:
            # Where a path does not need it, a wrong one is still wrong.
            organization = Organization.objects.filter(secret_hash=fingerprint(presented["organization"])).first()
            if organization is None:
                raise NotAuthenticated("The Organization secret is not known")
        if user is not None and "element" in presented:
            # A token works only within its own organization; a stale one is no error by itself, since clients
            # keep sending it on calls that do not need it.
            instance = Instance.objects.filter(
                token_hash=fingerprint(presented["element"]), organization=user.organization
            ).first()
        return user, Principal(user, organization, instance)

    def authenticate_header(self, request: Request) -> str:
        return "User"


class _Needs(BasePermission):
    """Raises NotAuthenticated unless the credentials of this kind of path are there and belong together."""

    organization = True
    element = False

    def has_permission(self, request: Request, view: APIView) -> bool:
        principal = request.auth
        if not isinstance(principal, Principal):
            raise NotAuthenticated(
                "The Authorization header is missing; it reads: User <secret>, Organization <secret>"
            )
        if principal.user is None or principal.user.organization is None:
            raise NotAuthenticated("The User secret is missing or not known")
        if self.organization or principal.organization is not None:
            if principal.organization is None:
                raise NotAuthenticated("The Organization secret is missing or not known")
            if principal.organization != principal.user.organization:
                raise NotAuthenticated("The User and Organization secrets do not belong together")
        if self.element and principal.instance is None:
            raise NotAuthenticated("The Element token is missing or not known")
        return True


class NeedsUserAndOrganization(_Needs):
    """The platform API. An Element credential is tolerated, even a stale one."""


class NeedsUserAndElement(_Needs):
    """The hub API. An Organization credential is tolerated if it belongs to the user."""

    organization = False
    element = True


class NeedsAllThree(_Needs):
    """Paths that choose the instance by its token."""

    element = True


def user_of(request: Request) -> User:
    """The authenticated user, behind any of the permissions above."""
    user: Any = request.user
    assert isinstance(user, User)
    return user


def instance_of(request: Request) -> Instance:
    """The instance of the Element token, behind NeedsUserAndElement or NeedsAllThree."""
    assert isinstance(request.auth, Principal)
    assert request.auth.instance is not None
    return request.auth.instance

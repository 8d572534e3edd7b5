"""Organizations, their users, and the secrets that both call the API with."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth import authenticate
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from instances import audit, sign_in_limits
from instances.encryption import decrypt, encrypt, fingerprint, new_organization_secret, new_secret
from instances.errors import Conflict, InvalidRequest, NotAuthenticated, NotPermitted
from instances.models import Organization, User

TOKEN_SECONDS = 600
LONGEST_NAME = 200
ROLES = (User.OWNER, User.OPERATOR, User.VIEWER)
_SALT = "switchyard.authentication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user with the two secrets that go into the `Authorization` header."""

    user: User
    user_secret: str = field(repr=False)
    organization_secret: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The header of a call."""
        return f"User {self.user_secret}, Organization {self.organization_secret}"


def create_account(*, organization_name: str, login: str, password: str, role: str = User.OWNER) -> Account:
    """A user of the organization, which is made if there is none of that name.

    Raises InvalidRequest, and Conflict for a login that exists.
    """
    name = organization_name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise InvalidRequest(f"organization: give a name of 1 to {LONGEST_NAME} characters")
    with transaction.atomic():
        organization = _organization(name)
        return add_person(organization=organization, login=login, password=password, role=role)


def add_person(
    *, organization: Organization, login: str, password: str, role: str, first_name: str = "", last_name: str = ""
) -> Account:
    """Raises InvalidRequest, and Conflict for a login that exists."""
    email = User.objects.normalize_email(login)
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidRequest("login: give an e-mail address, such as ada@example.com") from None
    if not password:
        raise InvalidRequest("password: give one; the user signs in to the console with it")
    if role not in ROLES:
        raise InvalidRequest(f"role: choose {', '.join(ROLES)}")
    user_secret = new_secret()
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email,
                password,
                organization=organization,
                role=role,
                first_name=first_name,
                last_name=last_name,
                is_staff=True,
                secret_hash=fingerprint(user_secret),
                secret_encrypted=encrypt(user_secret),
            )
    except IntegrityError:
        raise Conflict(
            f"login: {email} exists already; choose another one, or get its secrets with POST /authentication "
            "and GET /authentication/secrets"
        ) from None
    return Account(user=user, user_secret=user_secret, organization_secret=decrypt(organization.secret_encrypted))


def _organization(name: str) -> Organization:
    secret = new_organization_secret()
    organization, _ = Organization.objects.get_or_create(
        name=name, defaults={"secret_hash": fingerprint(secret), "secret_encrypted": encrypt(secret)}
    )
    return organization


def is_last_owner(user: User) -> bool:
    """Whether an organization would have nobody left to administer it. It stays as it is until the transaction ends."""
    owners = User.objects.filter(organization=user.organization_id, role=User.OWNER, is_active=True)
    # All that may go at the same moment wait for each other.
    ids = owners.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
    return list(ids) == [user.pk]


def secrets_of(user: User) -> Account:
    """Both that a call needs. Raises NotPermitted where there are none, KeyMissing."""
    if user.organization is None or not user.secret_encrypted:
        raise NotPermitted(
            "This user belongs to no organization and has no secrets; create_account makes one that does"
        )
    return Account(
        user=user,
        user_secret=decrypt(user.secret_encrypted),
        organization_secret=decrypt(user.organization.secret_encrypted),
    )


def rotate_secret_of(owner: User | Organization) -> str:
    """The new one; from its commit on the old one proves nothing."""
    secret = new_secret() if isinstance(owner, User) else new_organization_secret()
    owner.secret_hash, owner.secret_encrypted = fingerprint(secret), encrypt(secret)
    owner.save(update_fields=["secret_hash", "secret_encrypted"])
    return secret


def sign_in(*, request: HttpRequest, username: str, password: str) -> str:
    """A token for `account_of`, good for TOKEN_SECONDS or until the password changes.

    Raises NotAuthenticated, and TooManyAttempts for who failed too often. Unknown logins take as long as wrong
    passwords: Django hashes in both cases.
    """
    user = authenticate(request, username=username, password=password)
    if sign_in_limits.is_locked_out(request):
        raise sign_in_limits.too_many()
    if not isinstance(user, User):
        raise NotAuthenticated("The username or the password is wrong")
    sign_in_limits.forget_failures(request=request, email=username)
    audit.note(who=user, action="signed in", through=audit.API, organization_id=user.organization_id)
    return signing.dumps({"user": user.pk, "hash": user.get_session_auth_hash()}, salt=_SALT)


def account_of(token: str) -> Account:
    """Whose secrets a token of `sign_in` may read. Raises NotAuthenticated, NotPermitted."""
    try:
        claims = signing.loads(token, salt=_SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        raise NotAuthenticated("The Bearer token is not known or has expired; POST /authentication gives one") from None
    user = User.objects.select_related("organization").filter(pk=claims["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), claims["hash"]):
        raise NotAuthenticated("The Bearer token is not known or has expired; POST /authentication gives one")
    return secrets_of(user)

"""From a login to the secrets that every other call carries."""

from __future__ import annotations

from instances.accounts_api import AuthenticationView, SecretsView
from instances.describing import TEXT, Described, describe, record_of

TAG = "Accounts"

describe(
    AuthenticationView,
    post=Described(
        summary="Exchange a login for a token",
        description="The token is good for `GET /authentication/secrets` and for nothing else.",
        tag=TAG,
        credentials="none",
        body=record_of(username=TEXT, password=TEXT),
        body_example={"username": "ann@example.com", "password": "a good one"},
        answer=record_of(token=TEXT),
        answer_example={"token": "eyJ1c2VyIjo3fQ:1tWqk9:Zr0..."},
        errors=frozenset({401, 429}),
    ),
)

describe(
    SecretsView,
    get=Described(
        summary="Read the secrets of the account behind a token",
        tag=TAG,
        credentials="bearer",
        answer=record_of(userSecret=TEXT, organizationSecret=TEXT),
        answer_example={
            "userSecret": "the secret behind User",
            "organizationSecret": "the secret behind Organization",
        },
        errors=frozenset({403}),
    ),
)

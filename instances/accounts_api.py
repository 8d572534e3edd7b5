"""How a person or a program gets its secrets: a login for a token, the token for the secrets."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instances import audit
from instances.accounts import account_of, sign_in
from instances.errors import InvalidRequest, NotAuthenticated


class _OpenView(APIView):
    authentication_classes = ()
    permission_classes = ()


class AuthenticationView(_OpenView):
    def post(self, request: Request) -> Response:
        sent = request.data if isinstance(request.data, Mapping) else {}
        username, password = sent.get("username"), sent.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise InvalidRequest('Send {"username": "...", "password": "..."}')
        token = sign_in(request=request._request, username=username, password=password)
        return Response({"token": token}, headers={"Cache-Control": "no-store"})


class SecretsView(_OpenView):
    def get(self, request: Request) -> Response:
        keyword, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if keyword.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("The Authorization header is missing or malformed; it reads: Bearer <token>")
        account = account_of(token.strip())
        audit.note(
            who=account.user,
            action="looked at their secrets",
            through=audit.API,
            organization_id=account.user.organization_id,
        )
        return Response(
            {"userSecret": account.user_secret, "organizationSecret": account.organization_secret},
            headers={"Cache-Control": "no-store"},
        )

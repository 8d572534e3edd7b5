"""`manage.py create_account`: an organization with a user, or another user of it; prints the secrets once."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from instances.accounts import create_account
from instances.errors import PlatformError


class Command(BaseCommand):
    help = "Create a user (and its organization, if there is none of that name); print ids and API secrets as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, help="its name; the same name adds a user to it")
        parser.add_argument("--login", required=True, help="the user's e-mail address")
        parser.add_argument("--password", required=True, help="for the console and POST /authentication")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account = create_account(
                organization_name=options["organization"], login=options["login"], password=options["password"]
            )
        except PlatformError as error:
            raise CommandError(f"--{error}") from error
        self.stdout.write(
            json.dumps(
                {
                    "userSecret": account.user_secret,
                    "organizationSecret": account.organization_secret,
                    "organizationId": account.user.organization_id,
                    "userId": account.user.pk,
                    "login": account.user.email,
                }
            )
        )

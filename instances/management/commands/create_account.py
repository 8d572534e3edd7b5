"""`manage.py create_account`: an organization with a user, or another user of it; prints the secrets once."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError, connection

from instances.accounts import ROLES, create_account
from instances.errors import PlatformError
from instances.models import Organization, User

PATIENCE_SECONDS = 30


def wait_for_tables(*, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """A stack that was started a moment ago is still making them. Raises CommandError when they do not come."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            Organization.objects.exists()
        except (OperationalError, ProgrammingError) as error:
            connection.close()
            if time.monotonic() > deadline:
                raise CommandError("the database does not answer or has no tables: start `make up` first") from error
            time.sleep(0.2)
        else:
            return


class Command(BaseCommand):
    help = "Create a user (and its organization, if there is none of that name); print ids and API secrets as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, help="its name; the same name adds a user to it")
        parser.add_argument("--login", required=True, help="the user's e-mail address")
        parser.add_argument("--password", required=True, help="for the console and POST /authentication")
        parser.add_argument("--role", default=User.OWNER, help=f"{', '.join(ROLES)}; what they may do")

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_tables()
        try:
            account = create_account(
                organization_name=options["organization"],
                login=options["login"],
                password=options["password"],
                role=options["role"],
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

"""Says when the stack answers, and what to do first: `make up` starts this beside it."""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request

import django

from config import environment

PATIENCE_SECONDS = 120.0
CREATE_ACCOUNT = ".venv/bin/python manage.py create_account --organization NAME --login EMAIL --password PASSWORD"


def wait_until_ready(url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether the web server answered in time."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            # It may answer to other host names only.
            return True
        except OSError:
            time.sleep(0.2)
    return False


def sentences(*, is_ready: bool, has_account: bool, public_url: str, logs: str) -> list[str]:
    if not is_ready:
        return [f"Not ready after {PATIENCE_SECONDS:.0f} s; the logs in {logs} say why. It goes on trying."]
    ready = f"Ready: sign in at {public_url}/console/"
    if has_account:
        return [ready]
    return [ready, "There is no account yet. In another terminal:", f"  {CREATE_ACCOUNT}"]


def _has_account() -> bool:
    from instances.models import User  # only now is there a database to ask

    return User.objects.filter(is_active=True).exists()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    host = environment.env.str("HOST", "127.0.0.1")
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    # The catalogue asks for no credentials; behind it are the tables.
    is_ready = wait_until_ready(f"http://{host}:{environment.port()}/elements/api-v2/elements/keys")
    django.setup()
    said = sentences(
        is_ready=is_ready,
        has_account=is_ready and _has_account(),
        public_url=environment.public_url(),
        logs=str(environment.var_dir() / "logs"),
    )
    sys.stdout.write("\n".join(said) + "\n")


if __name__ == "__main__":
    main()

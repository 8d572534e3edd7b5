"""What the environment says, and what development makes up where it says nothing.

Settings read from here; so do the programs that run before Django does (`stack`, `embedded`). Secrets are generated
under `VAR_DIR` only while `DEBUG` is not `0`: a production start with a missing or weak key stops with a sentence
that names it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from environ import Env

BASE_DIR = Path(__file__).resolve().parent.parent
# A Unix socket's path has 108 bytes on Linux, 104 on macOS, and PostgreSQL appends "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_DIRECTORY = 80
WEAK_SECRET_LENGTH = 32

env = Env()


class MisconfiguredEnvironment(SystemExit):
    """The start stops here: the message names the variable and the way out."""

    def __init__(self, message: str) -> None:
        super().__init__(f"switchyard: {message}")


def var_dir() -> Path:
    """Where embedded data, logs, sockets and generated keys live (`VAR_DIR`)."""
    return Path(env.str("VAR_DIR", str(BASE_DIR / "var"))).expanduser().resolve()


def is_production() -> bool:
    """`DEBUG=0` is a promise that every key comes from the environment."""
    return "DEBUG" in os.environ and not env.bool("DEBUG")


def socket_directory() -> Path:
    """A directory of ours, short enough for Unix sockets; `VAR_DIR/run` unless that path is too long."""
    inside = var_dir() / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIRECTORY:
        return inside
    name = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"switchyard-{os.getuid()}-{name}"


def is_embedding_postgres() -> bool:
    return not env.str("DATABASE_URL", "")


def is_embedding_valkey() -> bool:
    return not env.str("REDIS_URL", "")


def redis_url() -> str:
    """`REDIS_URL`, or the embedded Valkey's socket."""
    return env.str("REDIS_URL", "") or f"unix://{socket_directory() / 'valkey.sock'}"


def broker_url() -> str:
    """The same server in Celery's spelling: kombu says `redis+socket://` where redis-py says `unix://`."""
    url = redis_url()
    return "redis+socket://" + url.removeprefix("unix://") if url.startswith("unix://") else url


def server_of(name: str, read: Callable[..., dict[str, Any]], **options: Any) -> dict[str, Any]:
    """What a URL with a password in it says, as `read` (of `env`) does. What is wrong with it is told without it."""
    try:
        return read(name, **options)
    except ValueError:
        raise MisconfiguredEnvironment(
            f"{name} cannot be read as a URL; write /, #, ? and @ in its password as %2F, %23, %3F and %40"
        ) from None


def port() -> int:
    text = env.str("PORT", "8000")
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise MisconfiguredEnvironment(f"PORT must be a number from 1 to 65535, not {text!r}")
    return int(text)


def public_url() -> str:
    """Where providers and clients reach us, without a trailing slash."""
    url = str(env.str("PUBLIC_URL", "") or f"http://127.0.0.1:{port()}").strip().rstrip("/")
    if not _is_origin(url):
        # Without the text: it may hold a password.
        raise MisconfiguredEnvironment(
            "PUBLIC_URL must be https:// or http:// and a host, with a port if need be and nothing after it, such as "
            "https://events.example.com"
        )
    return url


def _is_origin(url: str) -> bool:
    """Providers post to paths below it, and each of them reads an URL in its own way: take none that is unusual."""
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:
        return False
    is_bare = re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?", url) is not None
    return is_bare and bool(host) and number != 0


def secret_key() -> str:
    key: str = env.str("SECRET_KEY", "") or _made_in_development("SECRET_KEY", secrets.token_urlsafe(48))
    if is_production() and (len(key) < WEAK_SECRET_LENGTH or len(set(key)) < WEAK_SECRET_LENGTH // 4):
        raise MisconfiguredEnvironment(
            f"SECRET_KEY is weak: it needs {WEAK_SECRET_LENGTH} random characters or more, for example from "
            "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`"
        )
    return key


def fernet_keys() -> list[str]:
    """The keyring that encrypts provider configurations and tokens, newest first (`FERNET_KEYS`, comma-separated)."""
    keys = env.list("FERNET_KEYS", default=[]) or [_made_in_development("FERNET_KEYS", Fernet.generate_key().decode())]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise MisconfiguredEnvironment(
                f"FERNET_KEYS: key {number} is not 32 url-safe base64-encoded bytes; make one with `python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
            ) from None
    return keys


def _made_in_development(name: str, fresh: str) -> str:
    """Read the key that an earlier start generated, or keep `fresh` as that key."""
    if is_production():
        raise MisconfiguredEnvironment(f"{name} is missing: with DEBUG=0 it must come from the environment")
    directory = var_dir() / "keys"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / name.lower()
    # Several processes start at once: each writes a file of its own, and the first link to the final name wins.
    with tempfile.NamedTemporaryFile("w", dir=directory, prefix=name.lower(), delete=False) as draft:
        draft.write(fresh)
    try:
        os.link(draft.name, path)
    except FileExistsError:
        pass
    finally:
        Path(draft.name).unlink()
    return path.read_text().strip()

"""Whether a callback is from ConnectWise: where its key may be fetched, reading the key, the signature itself.

Everything in a body is somebody's claim until the signature holds, and the address of the key is a part of the body.
Hosts of the cloud are shared by all companies, so the address has to name the company, too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import parse_qsl

from connectors.callbacks import CallbackRefused, InboundCallback
from connectors.egress.destinations import Destination, parse
from connectors.errors import DestinationRefused, RequestRefused, UnusableAnswer
from connectors.vendors.connectwise_bodies import Body, shown
from connectors.vendors.connectwise_hosts import server_origin, sibling_hosts

SIGNATURE_HEADER = "x-content-signature"
LONGEST_KEY = 4096
LONGEST_KEY_ANSWER = 64 * 1024
KEY_PATH = ("system", "callbackkey")
_COMPANY_PARAMETER = "companyname"


def own_server(url: str) -> Destination:
    """The server that an instance is configured with, read as its client reads it. Raises CallbackRefused."""
    try:
        return parse(server_origin(url, key="the server of the instance"))
    except (DestinationRefused, RequestRefused) as refused:
        raise CallbackRefused(f"the instance's own server is not known: {refused}") from refused


def key_url(body: Body, *, server: Destination, company: str) -> str:
    """The address that the body gives, once it is the own server's and the own company's. Raises CallbackRefused."""
    if not isinstance(text := body.key_url, str) or not text.strip():
        raise CallbackRefused("the body names no key_url, so nothing proves whose it is")
    try:
        key = parse(text.strip())
    except DestinationRefused as refused:
        raise CallbackRefused(f"key_url cannot be used: {shown(str(refused))}") from refused
    _refuse_another_server(key, server)
    path, _, query = key.target.partition("?")
    if not _is_key_path(path):
        raise CallbackRefused(f"key_url does not lead to the keys of callbacks (/{'/'.join(KEY_PATH)})")
    if not company.strip():
        raise CallbackRefused("the instance names no company")
    if not _is_only_company(query, company):
        raise CallbackRefused("key_url names another company than the instance's, or none")
    refuse_another_company(body, company=company)
    return key.url


def refuse_another_company(body: Body, *, company: str) -> None:
    """A body need not name its company. Raises CallbackRefused."""
    if body.company_id is not None and not _is_same(body.company_id, company):
        raise CallbackRefused("CompanyId names another company than the instance's")


def _refuse_another_server(key: Destination, server: Destination) -> None:
    if key.host not in sibling_hosts(server.host):
        raise CallbackRefused(
            f"key_url names the host {shown(key.host)}, which is not the instance's own ({shown(server.host)})"
        )
    if key.scheme != server.scheme:
        raise CallbackRefused(f"key_url begins with {key.scheme}://, and the instance's server with {server.scheme}://")
    if key.port != server.port:
        raise CallbackRefused(f"key_url names the port {key.port}, which is not the instance's own ({server.port})")


def _is_key_path(path: str) -> bool:
    """Recorded paths read `/v2025_1//system/callbackkey/index.rails`, double slash included."""
    if not path.isascii() or any(character in path for character in "%\\;"):
        return False
    parts = [part for part in path.lower().split("/") if part]
    if "." in parts or ".." in parts:
        return False
    return any(tuple(parts[start : start + len(KEY_PATH)]) == KEY_PATH for start in range(len(parts)))


def _parameters(query: str) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50, separator="&")
    except ValueError:
        return ()


def companies_in(query: str) -> list[str]:
    """What the query gives as the company's name. A name that only some servers take for it brings ""."""
    return [
        value if name.casefold() == _COMPANY_PARAMETER else ""
        for name, value in _parameters(query)
        if name.strip().casefold().startswith(_COMPANY_PARAMETER)
    ]


def _is_only_company(query: str, company: str) -> bool:
    # Of a parameter given twice, one server takes the first and another the last.
    named = companies_in(query)
    return len(named) == 1 and _is_same(named[0], company)


def _is_same(one: object, other: str) -> bool:
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()


def signing_key(answer: bytes) -> str:
    """Raises UnusableAnswer. The content type says nothing: the JSON comes as text."""
    if len(answer) > LONGEST_KEY_ANSWER:
        raise UnusableAnswer("The provider's answer is too long for a signing key")
    try:
        document = json.loads(answer.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnusableAnswer("The provider did not answer with a signing key in JSON") from None
    key = document.get("signing_key") if isinstance(document, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise UnusableAnswer("The provider's answer holds no signing_key")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise UnusableAnswer("The provider's signing_key holds a character that is none") from None
    if size > LONGEST_KEY:
        raise UnusableAnswer(f"The provider's signing_key is longer than {LONGEST_KEY} bytes")
    return key


def is_signed_with(callback: InboundCallback, key: str) -> bool:
    """The HMAC's key is the digest of the shared key, 32 raw bytes, neither the key itself nor hexadecimal text."""
    try:
        secret = key.encode()
    except UnicodeEncodeError:
        return False
    digest = hmac.digest(hashlib.sha256(secret).digest(), callback.body, "sha256")
    given = callback.signature.strip().encode("utf-8", "replace")
    return hmac.compare_digest(b64encode(digest), given) and bool(secret)

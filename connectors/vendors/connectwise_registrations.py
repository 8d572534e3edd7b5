"""Our callbacks at ConnectWise: `/system/callbacks`, where each is an entry of its own."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from connectors.callbacks import RegisteredCallback, WantedCallback
from connectors.egress import Answer
from connectors.errors import AlreadyRegistered, RecordNotFound, RequestRefused, UnusableAnswer
from connectors.vendors.connectwise import ConnectWiseClient, relations
from connectors.vendors.connectwise_callback_types import OWNER, OWNER_ID

PATH = "/system/callbacks"
LONGEST_DESCRIPTION = 100
PAGE_SIZE = 1000
MOST_PAGES = 100

_is_id = re.compile(r"[0-9]{1,18}").fullmatch
# What can stand between quotes of a condition without ending them.
_is_marker = re.compile(r"[A-Za-z0-9_.:/-]+").fullmatch


def find(client: ConnectWiseClient, *, marker: str) -> list[RegisteredCallback]:
    """The entries whose URL contains `marker`, whoever made them."""
    if not _is_marker(marker):
        raise ValueError("A marker is made of letters, digits and _.:/- only")
    parameters = {"conditions": f'url contains "{marker}"', "orderBy": "id asc", "pageSize": str(PAGE_SIZE)}
    found: dict[str, RegisteredCallback] = {}
    for page in range(1, MOST_PAGES + 1):
        answer = client.request("GET", PATH, parameters={**parameters, "page": str(page)})
        entries = _decoded(answer, list[dict[str, Any]])
        for entry in entries:
            registered = _registered(entry)
            # `contains` may pass over letter case, and take _ for any letter.
            if registered is not None and marker in registered.url:
                found[registered.provider_id] = registered
        links = relations(answer)
        if not entries or ("next" not in links if links else len(entries) < PAGE_SIZE):
            return list(found.values())
    raise UnusableAnswer(f"ConnectWise has no end of callback entries: {MOST_PAGES} pages were read")


def add(client: ConnectWiseClient, wanted: WantedCallback, *, url: str, description: str) -> RegisteredCallback:
    """Raises AlreadyRegistered where an equal one exists."""
    document = {
        "description": description[:LONGEST_DESCRIPTION],
        "url": url,
        "objectId": int(wanted.object_id),
        "type": wanted.type,
        "level": wanted.level,
        "inactiveFlag": False,
    }
    try:
        answer = client.request("POST", PATH, document=document)
    except RequestRefused as refused:
        if "InvalidField" in refused.codes and "url" in refused.provider_message.casefold():
            raise RequestRefused(
                "ConnectWise does not take our address: it begins with PUBLIC_URL, which must be one that ConnectWise "
                "reaches, such as https://events.example.com",
                provider_message=refused.provider_message,
                status=refused.status,
            ) from refused
        if "ObjectExists" not in refused.codes:
            raise
        raise AlreadyRegistered(
            "ConnectWise has an equal callback already",
            provider_message=refused.provider_message,
            status=refused.status,
        ) from refused
    entry = _decoded(answer, dict[str, Any])
    provider_id = _id(entry.get("id"))
    if not provider_id:
        raise UnusableAnswer("ConnectWise took a callback and did not say its id", status=answer.status)
    return RegisteredCallback(provider_id=provider_id, wanted=wanted, url=url, is_active=_is_active(entry))


def rearm(client: ConnectWiseClient, *, provider_id: str) -> None:
    """Raises RecordNotFound for an entry that is gone."""
    client.request("PATCH", _path(provider_id), document=[{"op": "replace", "path": "inactiveFlag", "value": False}])


def remove(client: ConnectWiseClient, *, provider_id: str) -> None:
    try:
        client.request("DELETE", _path(provider_id))
    except RecordNotFound as error:
        if "NotFound" not in error.codes:
            # On the cloud, 404 also stands for a wrong address or wrong keys: then nothing was taken back.
            client.check()


def _path(provider_id: str) -> str:
    if not _is_id(provider_id):
        raise RecordNotFound("ConnectWise's callback entries have numbers as ids")
    return f"{PATH}/{provider_id}"


def _registered(entry: dict[str, Any]) -> RegisteredCallback | None:
    """None for an entry that cannot be one of ours. Entries of old versions may lack any field."""
    provider_id, url = _id(entry.get("id")), entry.get("url")
    if not provider_id or not isinstance(url, str):
        return None
    level = _word(entry.get("level"))
    object_id = OWNER_ID if level == OWNER else _id(entry.get("objectId"))
    wanted = WantedCallback(type=_word(entry.get("type")), level=level, object_id=object_id)
    return RegisteredCallback(provider_id=provider_id, wanted=wanted, url=url, is_active=_is_active(entry))


def _is_active(entry: dict[str, Any]) -> bool:
    return str(entry.get("inactiveFlag")).lower() != "true"


def _word(value: object) -> str:
    return value.strip().lower()[:32] if isinstance(value, str) else ""


def _id(value: object) -> str:
    """As text; empty where there is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return str(int(text)) if _is_id(text) else ""


def _decoded(answer: Answer, shape: Any) -> Any:
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableAnswer(
            "ConnectWise answered about callbacks with something that is not JSON of the right shape, or not all of it",
            status=answer.status,
        ) from error

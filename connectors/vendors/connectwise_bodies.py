"""The body of a ConnectWise callback, read tolerantly.

Old versions spell keys otherwise (`Id`, `metadata`) and lack most of them; new ones add some. Half surrogate pairs,
numbers of a thousand digits and endless nesting are legal JSON, and none of them may break a worker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_SHOWN = 100
# Python refuses to read and write numbers of more than 4,300 digits; no provider's number comes near this.
_MOST_DIGITS = 1000


class NotReadable(ValueError):
    """What is wrong, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The members that are used, as they came; None where they are absent or null."""

    message_id: object = None
    from_url: object = None
    company_id: object = None
    action: object = None
    type: object = None
    id: object = None
    entity: object = field(default=None, repr=False)
    key_url: object = field(default=None, repr=False)


def read_body(content: bytes) -> Body:
    """Raises NotReadable for what is no JSON object in UTF-8."""
    document = read_json(content)
    if not isinstance(document, dict):
        raise NotReadable("is no JSON object")
    return Body(
        message_id=member(document, "MessageId"),
        from_url=member(document, "FromUrl"),
        company_id=member(document, "CompanyId"),
        action=member(document, "Action"),
        type=member(document, "Type"),
        id=member(document, "ID"),
        entity=member(document, "Entity"),
        key_url=member(member(document, "Metadata"), "key_url"),
    )


def read_json(text: bytes | str) -> Any:
    """Raises NotReadable, and nothing else."""
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded, parse_int=_number, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotReadable("is nested too deeply") from None
    except UnicodeDecodeError:
        raise NotReadable("is not UTF-8") from None
    except ValueError:
        raise NotReadable("is not JSON, or not all of it") from None


def member(document: object, name: str) -> Any:
    """The value under this name, or else under the same name in other letter case; None where there is none."""
    if not isinstance(document, Mapping):
        return None
    if name in document:
        return document[name]
    folded = name.casefold()
    return next((value for key, value in document.items() if key.casefold() == folded), None)


def content_hash(action: str, entity: object) -> bytes:
    """16 bytes; equal for what says the same, whatever the order of keys. Raises NotReadable for endless nesting."""
    try:
        canonical = json.dumps([action, entity], sort_keys=True, separators=(",", ":"))
    except (RecursionError, ValueError):
        raise NotReadable("is nested too deeply") from None
    return hashlib.blake2b(canonical.encode(), digest_size=16).digest()


def usable_text(value: object, *, longest: int) -> str:
    """The text without blanks around it; empty for anything that no column and no page can hold."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= longest and text.isprintable() else ""


def shown(text: str) -> str:
    """For a sentence that people read: short, on one line."""
    text = "".join(character if character.isprintable() else "�" for character in text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _number(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")

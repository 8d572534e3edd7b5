"""Which object somebody asks about, checked. Errors name the field as the API has it."""

from __future__ import annotations

from events.decisions import LONGEST_ID, LONGEST_TYPE
from instances.errors import InvalidRequest
from instances.models import Instance
from polling import standing, trace


def object_type(text: str, *, instance: Instance) -> str:
    """One that the instance has, or under which something was noted. Raises InvalidRequest."""
    asked = text.strip()
    known = standing.object_types(instance)
    if asked in known:
        return asked
    if asked and _can_be_kept(asked, LONGEST_TYPE) and trace.is_known_type(instance, asked):
        return asked
    raise InvalidRequest(f"objectType: ask about one of {', '.join(known)}")


def object_id(text: str) -> str:
    """Raises InvalidRequest."""
    asked = text.strip()
    if not asked:
        raise InvalidRequest("objectId is missing; send the record's id, such as 101")
    if not _can_be_kept(asked, LONGEST_ID):
        raise InvalidRequest(f"objectId: an id is a text of 1 to {LONGEST_ID} characters")
    return asked


def _can_be_kept(text: str, longest: int) -> bool:
    return len(text) <= longest and text.isprintable()

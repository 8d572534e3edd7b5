"""Names for the operations of resources in documents: `incidents/comments` is `IncidentComments`, `IncidentComment`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_parts = re.compile(r"[A-Za-z0-9]+").findall


@dataclass(frozen=True, slots=True)
class Named:
    """How a resource is called in names that are put together."""

    many: str
    one: str


class Names:
    """Gives every resource a name of its own: what two would share gets a number."""

    def __init__(self) -> None:
        self._taken = {"Error"}

    def of(self, key: str) -> Named:
        *outer, last = key.split("/")
        before = "".join(_joined(_singular(name)) for name in outer)
        many, one = before + _joined(last), before + _joined(_singular(last))
        number, named = 1, Named(many=many, one=one)
        while self._taken & _made_of(named):
            number += 1
            named = Named(many=f"{many}{number}", one=f"{one}{number}")
        self._taken |= _made_of(named)
        return named


def _made_of(named: Named) -> set[str]:
    return {named.many, named.one, f"{named.one}Create", f"{named.one}ByPut", f"{named.one}ById"}


def _joined(name: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in _parts(name)) or "Records"


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name

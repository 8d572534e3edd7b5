"""How the records of one resource lie at the provider, as a value that reading, asking and writing look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.element import Field, FieldType

EMAIL, PHONE, FAX = "Email", "Phone", "Fax"
ITEMS = "communicationItems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The fields of one resource: hub name -> path in the provider's record, by type.

    A path leads through references (`company.name`), `a|b` is the first of two that is there; the first is written.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    booleans: Mapping[str, str] = field(default_factory=dict)
    datetimes: Mapping[str, str] = field(default_factory=dict)
    """Text on both sides."""
    milliseconds: Mapping[str, str] = field(default_factory=dict)
    """Moments that are numbers in the hub, counted from 1970."""
    communications: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Values of the default communication item of a type, and a path for records that carry no items."""
    only_where: Mapping[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """Fields that mean this only where another field, by its path, has one of some values."""
    written_as: Mapping[str, str] = field(default_factory=dict)
    """Which of these values writing such a field gives the other one."""
    required: frozenset[str] = frozenset()
    """Without these no record is created. Another field of the same reference will do."""
    read_only: frozenset[str] = frozenset()
    """The provider fills them in."""
    longest: Mapping[str, int] = field(default_factory=dict)
    """The most characters that the provider takes."""

    def paths(self) -> dict[str, str]:
        """Every field that has a path of its own, the id first."""
        return {**self.numbers, **self.texts, **self.booleans, **self.datetimes, **self.milliseconds}

    def types(self) -> dict[str, FieldType]:
        """Every field that records have, the id first."""
        return {
            **dict.fromkeys((*self.paths(), *self.communications), "text"),
            **dict.fromkeys(self.numbers, "number"),
            **dict.fromkeys(self.booleans, "boolean"),
            **dict.fromkeys(self.datetimes, "datetime"),
            **dict.fromkeys(self.milliseconds, "milliseconds"),
        }

    def fields(self) -> tuple[Field, ...]:
        """The same as the definition has them. Of alternatives, conditions ask for the first: they have no "else"."""
        paths = self.paths()
        return tuple(
            Field(
                name=name,
                type=field_type,
                provider_name=_condition_name(paths[name].partition("|")[0]) if name in paths else "",
                is_required=name in self.required,
                is_read_only=name in self.read_only,
                longest=self.longest.get(name),
            )
            for name, field_type in self.types().items()
        )

    def child_fields(self) -> dict[str, tuple[str, str]]:
        return {
            name: (f'{ITEMS}/communicationType = "{kind}" and {ITEMS}/value {{test}}', ITEMS)
            for name, (kind, _) in self.communications.items()
        }


def same(names: str) -> dict[str, str]:
    """Fields that both sides call the same, separated by blanks."""
    return {name: name for name in names.split()}


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def longest(fields_by_length: Mapping[int, str]) -> dict[str, int]:
    """Field -> the most characters, from fields separated by blanks."""
    return {name: length for length, fields in fields_by_length.items() for name in fields.split()}


def _condition_name(path: str) -> str:
    # Both spellings are understood; this one even for records whose model has no such field.
    return {"_info.lastUpdated": "lastUpdated", "_info.dateEntered": "dateEntered"}.get(path, path)

"""Resources under names and with fields of an instance's own: fields picked and renamed by path.

    myContacts = contacts with {"id": "id", "name.first": "firstName", "company": "company.name"}

Pure: records and queries in both directions. `connectors.transformation_requests` reads what clients send.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from connectors.ceql import And, Expression, Or
from connectors.element import Field, Resource
from connectors.errors import InvalidQuery, InvalidRecord
from connectors.nulls import without_nulls
from connectors.transformed_pages import PageWriter, value_at

ID: Final = "id"
"""What the hub calls the id of a record, on every resource."""
# A reference is emptied whole: one that names nothing is no reference.
_NAMES_OF_A_REFERENCE = frozenset({ID, "identifier", "name"})
_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One field: its dotted path in the instance's own records, and where it lies in the hub's."""

    path: str
    vendor_path: str


Sent: TypeAlias = tuple[FieldMapping, Any]
"""A mapped field that a client sent, and its value."""
Tree: TypeAlias = "dict[str, FieldMapping | Tree]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """How one resource of the hub is shown under another name."""

    name: str
    resource: str
    """The resource of the element that its records come from."""
    fields: tuple[FieldMapping, ...]
    """No path twice, and none inside another one."""

    def shown(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record of the resource in the instance's own words. What is not mapped is left out, what is not there is
        null."""
        own: dict[str, Any] = {}
        for one in self.fields:
            _put(own, one.path.split("."), value_at(record, one.vendor_path.split(".")))
        return own

    def shown_page(self, body: bytes, *, only: Sequence[str] = ()) -> bytes:
        """A JSON array of records likewise, in the same order and number, of `only` these fields and the id where some
        are named. Raises UnusableAnswer."""
        fields = self.fields if not only else tuple(self._chosen(only))
        return _writer(fields).write(body)

    def written(
        self,
        fields: Mapping[str, Any],
        *,
        present: Mapping[str, Any] | None = None,
        emptied: Sequence[FieldMapping] = (),
    ) -> dict[str, Any]:
        """What a client sent, in the hub's words, and null for what is to be `emptied`.

        `present` is the record as it is, in the instance's own words; it is needed where `is_ambiguous`. Raises
        InvalidRecord for a field that is not mapped, and for two that are the same and differ.
        """
        sent = list(self._sent(fields, _tree(self.fields), ()))
        if present is not None:
            sent = _meant(sent, present) or sent
        _check_agreement(sent)
        sent += [(one, None) for one in emptied]
        sent.sort(key=lambda one: one[0].vendor_path.count("."))
        document: dict[str, Any] = {}
        placed: set[tuple[str, ...]] = set()
        for mapping, value in sent:
            segments = tuple(mapping.vendor_path.split("."))
            lies_in_another = any(segments[:length] in placed for length in range(1, len(segments)))
            if value is None and lies_in_another and value_at(document, segments) is None:
                continue  # it was sent as part of the whole already
            _put(document, segments, value)
            placed.add(segments)
        for name in {path[0] for path in placed if len(path) == 2 and path[:1] not in placed}:
            if _names_nothing(document[name]):
                document[name] = None
        return document

    def is_ambiguous(self, fields: Mapping[str, Any]) -> bool:
        """Whether it takes the record as it is to tell what is meant: clients change one field of a whole record, and
        send the old value along under another name, and null for what cannot be read."""
        sent = list(self._sent(fields, _tree(self.fields), ()))
        return len({_root(one) for one, _ in sent}) < len(sent) or any(value is None for _, value in sent)

    def emptied(
        self, fields: Mapping[str, Any], *, present: Mapping[str, Any], resource: Resource
    ) -> list[FieldMapping]:
        """The mapped fields that a replacement by these fields leaves empty, as far as records can be without them."""
        sent = [one for one, _ in self._sent(fields, _tree(self.fields), ())]
        declared = {one.name: one for one in resource.fields}
        needed = {_provider_root(one) for one in resource.fields if one.is_required}
        return [
            one
            for one in self.fields
            if (field := declared.get(one.vendor_path)) is not None
            and not (field.is_read_only or field.type in ("boolean", "list") or _provider_root(field) in needed)
            and value_at(present, one.path.split(".")) is not None
            and not any(_is_sent_by(other, one, is_flat=resource.has_own_names) for other in sent)
        ]

    def asked(self, where: Expression) -> Expression:
        """A query in the hub's words. Raises InvalidQuery for a field that is not mapped."""
        if isinstance(where, And | Or):
            return replace(where, terms=tuple(self.asked(term) for term in where.terms))
        return replace(where, field=self._vendor_name(where.field, saying="Error parsing query: "))

    def order(self, order_by: str) -> str:
        """`name.first desc` in the hub's words. Raises InvalidQuery."""
        parts = (part.strip().partition(" ") for part in order_by.split(","))
        return ",".join(
            f"{self._vendor_name(name, saying='orderBy: ')}{space}{direction}" for name, space, direction in parts
        )

    def names(self, fields: Sequence[str]) -> tuple[str, ...]:
        """`fields=` in the hub's words. Raises InvalidQuery."""
        if not fields:
            return ()
        # A mapped object is asked for whole, so that it is complete in what is shown.
        return tuple(dict.fromkeys(one.vendor_path for one in self._chosen(fields)))

    def knows(self, path: str) -> bool:
        """Whether its records have something at this path."""
        return self._vendor_path(path) is not None

    def known_fields(self) -> str:
        """Some of them, to name in a message."""
        shown = ", ".join(one.path for one in self.fields[:_NAMES_SHOWN])
        return f"{shown} and others" if len(self.fields) > _NAMES_SHOWN else shown

    def _chosen(self, names: Sequence[str]) -> Iterator[FieldMapping]:
        """The mapped fields that these names mean, and the id. Raises InvalidQuery."""
        for name in names:
            self._vendor_name(name, saying="fields: ", is_object_meant=True)
        asked = [name.casefold() for name in names]
        for one in self.fields:
            path = one.path.casefold()
            if one.vendor_path == ID or any(_is_within(path, name) or _is_within(name, path) for name in asked):
                yield one

    def _vendor_name(self, name: str, *, saying: str, is_object_meant: bool = False) -> str:
        if (found := self._vendor_path(name)) is not None:
            return found
        if is_object_meant and any(_is_within(one.path.casefold(), name.casefold()) for one in self.fields):
            return name
        raise InvalidQuery(f"{saying}{self.name} has no field {name[:60]!r}; it has {self.known_fields()}")

    def _vendor_path(self, name: str) -> str | None:
        """Of a mapped field, or of what lies inside one that is an object."""
        asked = name.casefold()
        for one in self.fields:
            if _is_within(asked, one.path.casefold()):
                return one.vendor_path + name[len(one.path) :]
        return None

    def _sent(self, values: Mapping[str, Any], tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[FieldMapping, Any]]:
        """The mapped fields of what a client sent, with their values."""
        for name, value in values.items():
            match tree.get(name):
                case None:
                    sent = ".".join((*path, name))
                    raise InvalidRecord(f"{self.name} has no field {sent[:60]!r}; it has {self.known_fields()}")
                case FieldMapping() as mapping:
                    yield mapping, value
                case branch if value is None:
                    yield from ((mapping, None) for mapping in _leaves(branch))
                case branch if isinstance(value, Mapping):
                    yield from self._sent(value, branch, (*path, name))
                case _:
                    raise InvalidRecord(f"{'.'.join((*path, name))}: send an object, or null to empty it")


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.")


def _root(one: FieldMapping) -> str:
    return one.vendor_path.partition(".")[0]


def _provider_root(field: Field) -> str:
    return (field.provider_name or field.name).replace("/", ".").partition(".")[0]


def _is_sent_by(other: FieldMapping, one: FieldMapping, *, is_flat: bool) -> bool:
    """Whether writing the other field writes this one, too: references are written whole."""
    if is_flat:
        return _is_within(one.vendor_path, other.vendor_path) or _is_within(other.vendor_path, one.vendor_path)
    return _root(other) == _root(one)


def _meant(sent: Sequence[Sent], present: Mapping[str, Any]) -> list[Sent]:
    """Without nulls that were null before, and without what is as it was beside something that is not."""
    changed = [(one, value) for one, value in sent if not _is_as_it_was(one, value, present)]
    moved = {_root(one) for one, _ in changed}
    kept = [(one, value) for one, value in sent if value is not None and _root(one) not in moved]
    return changed + kept


def _is_as_it_was(one: FieldMapping, value: Any, present: Mapping[str, Any]) -> bool:
    return bool(without_nulls(value) == without_nulls(value_at(present, one.path.split("."))))


def _check_agreement(sent: Sequence[Sent]) -> None:
    placed: dict[str, Sent] = {}
    for one, value in sent:
        first, known = placed.setdefault(one.vendor_path, (one, value))
        if known != value:
            raise InvalidRecord(f"{first.path} and {one.path} are the same field: send one of them")


def _names_nothing(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= _NAMES_OF_A_REFERENCE
        and not any(one is not None for one in value.values())
    )


def _put(record: dict[str, Any], segments: Sequence[str], value: Any) -> None:
    """Set what lies at a path. Objects on the way are copied: they may be the client's."""
    for name in segments[:-1]:
        inner = record.get(name)
        record[name] = inner = dict(inner) if isinstance(inner, dict) else {}
        record = inner
    record[segments[-1]] = value


def _leaves(tree: Tree) -> Iterator[FieldMapping]:
    for one in tree.values():
        if isinstance(one, FieldMapping):
            yield one
        else:
            yield from _leaves(one)


@lru_cache(maxsize=256)
def _tree(fields: tuple[FieldMapping, ...]) -> Tree:
    """The own paths as nested mappings."""
    tree: Tree = {}
    for one in fields:
        *parents, last = one.path.split(".")
        branch: Any = tree
        for name in parents:
            branch = branch.setdefault(name, {})
        branch[last] = one
    return tree


@lru_cache(maxsize=256)
def _writer(fields: tuple[FieldMapping, ...]) -> PageWriter:
    return PageWriter([(one.path.split("."), one.vendor_path.split(".")) for one in fields])

"""Records over HTTP: which path leads to which collection, and what each verb does there."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from connectors.sandbox import attachments, refusals
from connectors.sandbox.answers import called, check_content_type, is_forward_only, is_id, json_answer, only, page
from connectors.sandbox.collection import API_MEMBER, Collection, Row
from connectors.sandbox.listing import Listing, Parameters, count, fields_tree, listing, parameters_of, partial
from connectors.sandbox.notes import initial_notes
from connectors.sandbox.refusals import JSON
from connectors.sandbox.server import Answer, Request
from connectors.sandbox.setup_tables import MEMBERS_PATH
from connectors.sandbox.stock import Stock
from connectors.sandbox.subjects import SUBJECTS
from connectors.sandbox.writing import Writer, json_body, json_object

REMEMBERED_PAGES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a path leads to: all of a collection, or what belongs to one record."""

    collection: Collection
    parent: int | None
    rest: str
    """What follows: blank, `count`, `search` or an id."""

    def row(self, record_id: int) -> Row | None:
        row = self.collection.row(record_id)
        if row is None or self.parent is None:
            return row
        return row if row.record.get(self.collection.schema.parent_field) == self.parent else None


class Endpoints:
    def __init__(self, stock: Stock, *, lock: threading.RLock) -> None:
        self._lock, self._attached = lock, stock.attachments
        collections = stock.collections.values()
        self._notes = stock.collections["notes"]
        self._by_path = {one.schema.path.lower(): one for one in (*collections, *stock.tables.values())}
        self._holders = [one for one in collections if "company" in one.schema.fields]
        subjects = {subject.schema.kind: subject for subject in SUBJECTS.values()}
        self._writers = {
            one.schema.kind: Writer(one, surroundings=stock.surroundings, subject=subjects.get(one.schema.kind))
            for one in collections
        }
        # Building a page of 1,000 contacts costs 10 ms and three megabytes: unchanged, it is sent again.
        self._recent: dict[tuple[object, ...], Listing] = {}

    def answer(self, path: str, request: Request) -> Answer:
        """`path` is what follows `apis/3.0`. Raises Refusal."""
        parts = path.removeprefix("/").split("/")
        with self._lock:
            if _template(parts) == attachments.PATH:
                return attachments.answer(self._attached, self._parent(parts), "/".join(parts[4:]), request)
            return self._answer_for(self._place(parts), request)

    def _place(self, parts: list[str]) -> _Place:
        if (template := _template(parts)) in self._by_path:
            parent = self._parent(parts)
            return _Place(collection=self._by_path[template], parent=parent, rest="/".join(parts[4:]))
        for length in (3, 2):  # `/company/companies/statuses` is none of the companies
            collection = self._by_path.get("/" + "/".join(parts[:length]).lower())
            if collection is not None:
                return _Place(collection=collection, parent=None, rest="/".join(parts[length:]))
        raise refusals.no_endpoint()

    def _parent(self, parts: list[str]) -> int:
        """The id in the middle of the path, once there is such a record. Raises Refusal (404)."""
        parents, parent = self._by_path["/" + "/".join(parts[:2]).lower()], int(parts[2])
        if parents.row(parent) is None:
            raise refusals.not_found(parents.schema.kind, parent)
        return parent

    def _answer_for(self, place: _Place, request: Request) -> Answer:
        collection, rest = place.collection, place.rest
        parameters = parameters_of(request.query)
        is_search = rest == "search"
        if collection.schema.is_table and not is_search:
            only(request, "GET")
        if request.method in ("POST", "PUT", "PATCH"):
            check_content_type(request)
        if rest == "":
            only(request, "GET", "POST")
            return self._list(place, parameters, request) if request.method == "GET" else self._create(place, request)
        if rest == "count":
            only(request, "GET")
            return json_answer(200, {"count": count(collection, parameters, parent=place.parent)})
        if is_search:
            only(request, "POST")
            body = json_object(request.body)
            given = {name.lower(): str(value) for name, value in body.items() if value is not None}
            return self._list(place, {**parameters, **given}, request)
        if collection.schema.path == MEMBERS_PATH and not rest.isdigit() and "/" not in rest:
            return self._answer_for_record(place, _member_id(collection, rest), request)
        if not is_id(rest):
            raise refusals.no_endpoint()
        only(request, "GET", "PUT", "PATCH", "DELETE")
        return self._answer_for_record(place, int(rest), request)

    def _list(self, place: _Place, parameters: Parameters, request: Request) -> Answer:
        is_forward, url = is_forward_only(request), called(request)
        asked = (url, request.query, request.body, is_forward, place.collection.version)
        if asked not in self._recent:
            found = listing(
                place.collection,
                parameters,
                is_forward_only=is_forward,
                url=url,
                query=request.query,
                parent=place.parent,
            )
            while len(self._recent) >= REMEMBERED_PAGES:
                del self._recent[next(iter(self._recent))]
            self._recent[asked] = found
        return page(self._recent[asked])

    def _create(self, place: _Place, request: Request) -> Answer:
        collection = place.collection
        tree = fields_tree(collection.schema, parameters_of(request.query))
        writer = self._writers[collection.schema.kind]
        body = json_object(request.body)
        notes = list(initial_notes(body)) if collection.schema.kind == "Ticket" else []
        given = {} if place.parent is None else {collection.schema.parent_field: place.parent}
        record = collection.save(writer.new(body, record_id=collection.next_id(), given=given), by=API_MEMBER)
        for note in notes:
            made = self._writers[self._notes.schema.kind].new(
                note, record_id=self._notes.next_id(), given={self._notes.schema.parent_field: record["id"]}
            )
            self._notes.save(made, by=API_MEMBER)
        shown = collection.get(record["id"])
        return json_answer(201, partial(shown, tree), ("Location", f"{request.path.rstrip('/')}/{record['id']}"))

    def _answer_for_record(self, place: _Place, record_id: int, request: Request) -> Answer:
        collection = place.collection
        tree = fields_tree(collection.schema, parameters_of(request.query))
        row = place.row(record_id)
        if row is None:
            raise refusals.not_found(collection.schema.kind, record_id)
        if request.method == "GET":
            if tree is None:
                return Answer(status=200, body=row.encoded, headers=(("Content-Type", JSON),))
            return json_answer(200, partial(row.record, tree))
        if request.method == "DELETE":
            self._refuse_if_used(collection, record_id)
            collection.delete(record_id, by=API_MEMBER)
            return Answer(status=204)
        writer = self._writers[collection.schema.kind]
        if request.method == "PUT":
            record = writer.replaced(row.record, json_object(request.body))
        else:
            record = writer.patched(collection.get(record_id), json_body(request.body))
        return json_answer(200, partial(collection.save(record, by=API_MEMBER), tree))

    def _refuse_if_used(self, collection: Collection, record_id: int) -> None:
        """A company with contacts, tickets or anything else stays."""
        if collection.schema.kind != "Company":
            return
        for other in self._holders:
            if any((row.record.get("company") or {}).get("id") == record_id for row in other.rows()):
                raise refusals.in_use("Company", record_id)


def _template(parts: list[str]) -> str:
    """`/service/tickets/{parent}/notes` for what lies at or below it; blank for other paths."""
    if len(parts) < 4 or not is_id(parts[2]):
        return ""
    return "/".join(("", parts[0], parts[1], "{parent}", parts[3])).lower()


def _member_id(members: Collection, identifier: str) -> int:
    """Members are found by their identifier as well. Raises Refusal (404)."""
    for row in members.rows():
        if row.record["identifier"].lower() == identifier.lower():
            return int(row.record["id"])
    raise refusals.not_found(members.schema.kind, identifier)

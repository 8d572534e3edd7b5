"""What the elements of ConnectWise PSA share: reading and writing records through the REST API 3.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.egress import Answer
from connectors.element import Resource
from connectors.errors import InvalidQuery, PermissionRefused, RecordNotFound, RequestRefused, TryLater, UnusableAnswer
from connectors.records import LARGEST_PAGE_SIZE, Page, Query, Record
from connectors.vendors import connectwise_communications as communications
from connectors.vendors import connectwise_writes as writes
from connectors.vendors.connectwise_calls import Call, Caller, decoded, json_object
from connectors.vendors.connectwise_conditions import order_of, path_of, translate
from connectors.vendors.connectwise_login import API_PATH, EXAMPLE_URL, Login

__all__ = ["API_PATH", "EXAMPLE_URL", "Call", "ConnectWiseClient", "Login"]

# ConnectWise asks for URLs under 2,000 characters; longer conditions travel in the body of a search.
LONGEST_URL = 1800

_links = re.compile(r'<([^>]*)>\s*;\s*rel="?([a-z]+)"?', re.IGNORECASE)
# Whoever knows the URL of a callback can post to it. ConnectWise reads paths in any letter case.
_NOT_SHOWN = "/system/callbacks/"
_is_record_id = re.compile(r"[0-9]{1,18}").fullmatch
# Some of the provider's collections, as that of members, know their records by another name too.
_is_any_id = re.compile(r"(?=[^.]*[A-Za-z0-9])[A-Za-z0-9_.-]{1,64}").fullmatch


class _Identified(msgspec.Struct):
    """Decoding a page to these checks that it is a complete list of objects, and costs a tenth of decoding it all."""

    id: Any = None


class _Count(msgspec.Struct):
    count: int


_list_of_objects = msgspec.json.Decoder(list[_Identified])
_count = msgspec.json.Decoder(_Count)


class ConnectWiseClient(Caller):
    """The records of one ConnectWise company. Implements `connectors.element.Client` but for its constructor."""

    def find(self, resource: Resource, query: Query) -> Page:
        """One page. A stable query follows the ids and takes no `order_by`."""
        size = max(1, min(query.page_size, LARGEST_PAGE_SIZE))
        parameters = {"pageSize": str(size), **self._filter(resource, query)}
        if query.is_stable:
            return self._find_behind_id(resource, query, parameters)
        parameters["page"] = str(query.page)
        parameters["orderBy"] = order_of(query.order_by, resource=resource) if query.order_by else "id asc"
        answer = self._list(resource, parameters)
        rows = len(decoded(answer, _list_of_objects, "a list of records"))
        links = relations(answer)
        # Without a Link header, which servers leave out when all fits on one page, a full page may have a next one.
        has_next = rows > 0 and ("next" in links if links else rows >= size)
        return Page(
            body=answer.body,
            next_page_token=str(query.page + 1) if has_next else None,
            answered_at=self._date(answer),
        )

    def _find_behind_id(self, resource: Resource, query: Query, parameters: dict[str, str]) -> Page:
        """Forward-only paging: records whose id is greater than `pageId`, by id."""
        if query.order_by:
            raise InvalidQuery("orderBy cannot be used while pages follow the ids")
        if not _is_record_id(query.page_token or "0"):
            raise InvalidQuery("nextPage: this is no page token of ConnectWise")
        after = int(query.page_token or 0)
        if after:
            parameters["pageId"] = str(after)
        answer = self._list(resource, parameters, {"pagination-type": "forward-only"})
        records = decoded(answer, _list_of_objects, "a list of records")
        next_id = self._next_id(answer, records, after)
        return Page(
            body=answer.body,
            next_page_token=None if next_id is None else str(next_id),
            answered_at=self._date(answer),
        )

    def _next_id(self, answer: Answer, records: list[_Identified], after: int) -> int | None:
        """Where the next page begins. An empty Link header says that this was the last page."""
        if not records:
            return None
        first, last = records[0].id, records[-1].id
        if after and not (isinstance(first, int) and first > after):
            # Servers before 2018.5 pass over pageId and would answer the first page for ever.
            raise UnusableAnswer("ConnectWise did not continue behind the last id: it needs version 2018.5 or later")
        if "Link" in answer.headers and "next" not in relations(answer):
            return None
        # The link names this very id; without a header, an empty page will say that it was the last.
        if not isinstance(last, int) or last <= after:
            raise UnusableAnswer("ConnectWise answered with records that are not in the order of their ids")
        return last

    def get(self, resource: Resource, record_id: str) -> Record:
        """Raises RecordNotFound, also for what can be no id of ConnectWise."""
        return self._record(resource, self._get(_path_of_record(resource, record_id), {}))

    def highest_id(self, resource: Resource) -> int | None:
        answer = self._list(resource, {"orderBy": "id desc", "pageSize": "1", "fields": "id"})
        ids = [record.id for record in decoded(answer, _list_of_objects, "a list of records")]
        if not ids:
            return 0  # whatever comes is new
        return ids[0] if isinstance(ids[0], int) else None

    def count(self, resource: Resource, query: Query) -> int:
        """How many records the whole query has."""
        parameters = self._filter(resource, query)
        parameters.pop("fields", None)
        path = f"{resource.path}/count"
        if len(self._address(path, parameters)) > LONGEST_URL:
            raise InvalidQuery("where is too long to be counted; ask without returnCount")
        return int(decoded(self._get(path, parameters), _count, "a count").count)

    # Writing

    def create(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        """Raises InvalidRecord, and TryLater that says so where the record may be there although no answer came."""
        _check_collection(resource)
        document, values = self._sendable(resource, fields, record_id=None)
        if values:
            document[communications.ITEMS] = self._new_items(values, names=[name for name in values if values[name]])
        document = writes.with_parent(writes.without_nulls(document), resource=resource)
        try:
            return self._record(resource, self.request("POST", resource.path, document=document))
        except TryLater as error:
            raise writes.perhaps_done(error) from error

    def replace(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        path = _path_of_record(resource, record_id)
        document, values = self._sendable(resource, fields, record_id=record_id)
        if resource.path == communications.CONTACTS_PATH:
            # ConnectWise's own PUT stumbles over the communication items that it gave out itself.
            record = self._raw(resource, record_id)
            document = writes.changed_only(writes.replacing(document, record=record, resource=resource), record=record)
            return self._changed(resource, record_id, document, values, record=record)
        document = self._kept(resource, record_id) | writes.without_nulls(document)
        document = writes.with_parent(document, resource=resource)
        return self._saved(resource, record_id, self.request("PUT", path, document=document))

    def update(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        _path_of_record(resource, record_id)
        document, values = self._sendable(resource, fields, record_id=record_id)
        is_whole = writes.is_whole(fields) and not resource.has_own_names
        record = self._raw(resource, record_id) if values or is_whole else {}
        if is_whole:
            document = writes.changed_only(document, record=record)
        return self._changed(resource, record_id, document, values, record=record)

    def delete(self, resource: Resource, record_id: str) -> None:
        self.request("DELETE", _path_of_record(resource, record_id))

    def _sendable(
        self, resource: Resource, fields: Mapping[str, Any], *, record_id: str | None
    ) -> tuple[writes.Document, communications.Values]:
        """The document, and apart from it the values that become communication items."""
        document = self._document(resource, fields, record_id=record_id)
        writes.check_names(document)
        if resource.path != communications.CONTACTS_PATH:
            return document, {}
        return communications.taken_out(document)

    def _changed(
        self,
        resource: Resource,
        record_id: str,
        document: Mapping[str, Any],
        values: communications.Values,
        *,
        record: Mapping[str, Any],
    ) -> Record:
        changes = writes.changes(document)
        if values:
            items = communications.items_of(record)
            new = self._new_items(values, names=communications.without_item(values, items=items))
            changes += communications.changes(values, items=items, new=new)
        if not changes:
            return self.get(resource, record_id)
        answer = self.request("PATCH", _path_of_record(resource, record_id), document=changes)
        return self._saved(resource, record_id, answer)

    def _new_items(self, values: communications.Values, *, names: Sequence[str]) -> list[communications.Item]:
        return [
            communications.new_item(name, value, type_id=self._communication_type(name))
            for name in names
            if (value := values[name]) is not None
        ]

    def _communication_type(self, name: str) -> int:
        for conditions in communications.type_conditions(name):
            parameters = {"conditions": conditions, "orderBy": "id asc", "pageSize": "1", "fields": "id"}
            found = decoded(self._get(communications.TYPES_PATH, parameters), _list_of_objects, "a list of types")
            if found and isinstance(found[0].id, int):
                return found[0].id
        raise RequestRefused(
            f"{name}: ConnectWise has no communication type of this kind; add one in its set-up tables"
        )

    def _saved(self, resource: Resource, record_id: str, answer: Answer) -> Record:
        """The record that a write answered; one that answered nothing is asked for."""
        return self._record(resource, answer) if answer.body.strip() else self.get(resource, record_id)

    def _raw(self, resource: Resource, record_id: str) -> dict[str, Any]:
        """The record in the provider's words."""
        return json_object(self._get(_path_of_record(resource, record_id), {}))

    def _record(self, resource: Resource, answer: Answer) -> Record:
        return Record(fields=self._hub_record(resource, json_object(answer)), answered_at=self._date(answer))

    # What elements with words of their own do otherwise

    def _document(self, resource: Resource, fields: Mapping[str, Any], *, record_id: str | None) -> dict[str, Any]:
        """What a client wrote in the provider's words: its members at the top level, null to empty one.

        Of contacts it may hold `email`, `phone` and `fax`, which become communication items. `record_id` is None for
        a new record. Raises InvalidRecord.
        """
        return writes.without_read_only(fields, resource=resource)

    def _kept(self, resource: Resource, record_id: str) -> dict[str, Any]:
        """Members that a record keeps when it is replaced, because the hub has no words for them."""
        return {}

    def _hub_record(self, resource: Resource, record: dict[str, Any]) -> dict[str, Any]:
        """A record as it is answered, in the hub's words."""
        return record

    def _filter(self, resource: Resource, query: Query) -> dict[str, str]:
        _check_collection(resource)
        asked = translate(query.where, resource=resource)
        parameters = {"conditions": asked.conditions, "childConditions": asked.child_conditions}
        if query.fields:
            parameters["fields"] = ",".join(self._fields(resource, query))
        return {name: value for name, value in parameters.items() if value}

    def _fields(self, resource: Resource, query: Query) -> Sequence[str]:
        """What the provider has to give for the fields asked for."""
        # Pages that follow the ids need them, and so does whoever reads the records.
        names = dict.fromkeys(("id", *query.fields)) if query.is_stable else query.fields
        return [path_of(name, resource=resource) for name in names]

    def _list(self, resource: Resource, parameters: dict[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        if len(self._address(resource.path, parameters)) <= LONGEST_URL:
            return self._get(resource.path, parameters, headers)
        body = {
            name: parameters.pop(name) for name in ("conditions", "childConditions", "orderBy") if name in parameters
        }
        sent = {**(headers or {}), "Content-Type": "application/json"}
        return self._call("POST", f"{resource.path}/search", parameters, sent, msgspec.json.encode(body))


def _check_collection(resource: Resource) -> None:
    """Raises PermissionRefused for what is not shown, and RecordNotFound where a parent's id can be none."""
    if resource.is_vendors and f"{resource.path}/".casefold().startswith(_NOT_SHOWN):
        raise PermissionRefused(
            "Registered callbacks are not shown here, as their URLs are secret; GET /instances/{id}/registrations "
            "lists those of an instance"
        )
    types = resource.field_types
    for name, text in resource.of_parent.items():
        if types.get(name) == "number" and not _is_record_id(text):
            raise RecordNotFound(f"{resource.parent} have numbers as ids")


def _path_of_record(resource: Resource, record_id: str) -> str:
    """Raises RecordNotFound for what can be no id."""
    _check_collection(resource)
    if not (_is_record_id(record_id) or (resource.is_vendors and _is_any_id(record_id))):
        raise RecordNotFound(f"{resource.name} have numbers as ids")
    return f"{resource.path}/{record_id}"


def relations(answer: Answer) -> dict[str, str]:
    """The Link header as relation -> URL. URLs hold commas, so the header is not split at them."""
    return {relation.lower(): url for url, relation in _links.findall(answer.headers.get("Link", ""))}

"""Which configurations a ticket is about: `/service/tickets/{id}/configurations`."""

from __future__ import annotations

import threading

from connectors.sandbox import refusals
from connectors.sandbox.answers import called, check_content_type, is_forward_only, is_id, json_answer, only, page
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.collection import HREF_BASE, Collection
from connectors.sandbox.listing import count, listing, parameters_of
from connectors.sandbox.refusals import Problem, invalid_object
from connectors.sandbox.schema import Field, Record, Schema, fields_of
from connectors.sandbox.server import Answer, Request
from connectors.sandbox.setup_tables import SAVED_AT
from connectors.sandbox.writing import json_object

PATH = "/service/tickets/{parent}/configurations"
REFERENCE = Schema(
    kind="ConfigurationReference",
    path=PATH,
    required=("id",),
    entry_stamp="none",
    hrefs=(),
    fields=fields_of(
        texts="deviceIdentifier",
        numbers="id",
        others=(Field("_info", "reference", parts=fields_of(texts="name configuration_href")),),
    ),
)
RESOURCE = "configurationReference"


class Attachments:
    def __init__(self, *, tickets: Collection, configurations: Collection) -> None:
        self._tickets, self._configurations = tickets, configurations
        self._ids: dict[int, list[int]] = {}

    def of(self, ticket_id: int) -> list[int]:
        """The ids of the ticket's configurations, ascending."""
        return sorted(self._ids.get(ticket_id, ()))

    def references_to(self, ticket_id: int) -> Collection:
        """As a list that can be asked like any other, made for one request."""
        rows = (self._configurations.row(number) for number in self.of(ticket_id))
        found = Collection(REFERENCE, clock=SandboxClock(), lock=threading.RLock(), invent=lambda _: {})
        found.load((_reference(row.record), SAVED_AT) for row in rows if row is not None)
        return found

    def attach(self, ticket_id: int, configuration_id: object) -> Record:
        """Returns the reference. Raises Refusal (400) for a configuration that is not there, or is there already."""
        number = int(text) if is_id(text := str(configuration_id)) else 0
        row = self._configurations.row(number)
        if row is None:
            raise _refused("NotFound", f"Configuration {configuration_id} not found")
        if number in self.of(ticket_id):
            raise _refused("ObjectExists", f"Configuration {number} is attached to ticket {ticket_id} already")
        self._ids.setdefault(ticket_id, []).append(number)
        return _reference(row.record)

    def detach(self, ticket_id: int, configuration_id: int) -> None:
        """Raises KeyError."""
        try:
            self._ids.get(ticket_id, []).remove(configuration_id)
        except ValueError as missing:
            raise KeyError(configuration_id) from missing

    def forget_ticket(self, ticket_id: int) -> None:
        self._ids.pop(ticket_id, None)

    def forget_configuration(self, configuration_id: int) -> None:
        for attached in self._ids.values():
            if configuration_id in attached:
                attached.remove(configuration_id)


def _reference(configuration: Record) -> Record:
    href = f"{HREF_BASE}/company/configurations/{configuration['id']}"
    info = {"name": configuration.get("name", ""), "configuration_href": href}
    device = configuration.get("deviceIdentifier")
    return {"id": configuration["id"], **({"deviceIdentifier": device} if device else {}), "_info": info}


def _refused(code: str, message: str) -> Exception:
    return invalid_object(RESOURCE, [Problem(code=code, message=message, resource=RESOURCE, field="id")])


def answer(attached: Attachments, ticket_id: int, rest: str, request: Request) -> Answer:
    """What the endpoint says about one ticket, of which there is one. Raises Refusal."""
    parameters, found = parameters_of(request.query), attached.references_to(ticket_id)
    if rest == "count":
        only(request, "GET")
        return json_answer(200, {"count": count(found, parameters)})
    if rest == "":
        only(request, "GET", "POST")
        if request.method == "POST":
            check_content_type(request)
            return json_answer(201, attached.attach(ticket_id, json_object(request.body).get("id")))
        is_forward, url = is_forward_only(request), called(request)
        return page(listing(found, parameters, is_forward_only=is_forward, url=url, query=request.query))
    if not is_id(rest):
        raise refusals.no_endpoint()
    only(request, "GET", "DELETE")
    row = found.row(int(rest))
    if row is None:
        raise refusals.not_found("Configuration", rest)
    if request.method == "GET":
        return json_answer(200, row.record)
    attached.detach(ticket_id, int(rest))
    return Answer(status=204)

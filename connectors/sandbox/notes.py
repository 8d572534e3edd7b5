"""Notes of tickets: what was said about one, for the client or among colleagues."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox import catalogue
from connectors.sandbox.schema import SAVED, TICKET, Field, Record, Schema, fields_of, named
from connectors.sandbox.subject import Subject, Surroundings, refuse

NOTE = Schema(
    kind="ServiceNote",
    path="/service/tickets/{parent}/notes",
    parent_field="ticketId",
    required=("text",),
    entry_stamp="record",
    entry_names=("dateCreated", "createdBy"),
    read_only=("ticketId", "dateCreated", "createdBy"),
    hrefs=(),
    fields=fields_of(
        texts="text createdBy",
        numbers="id ticketId sentimentScore",
        booleans="detailDescriptionFlag internalAnalysisFlag resolutionFlag issueFlag customerUpdatedFlag "
        "processNotifications internalFlag externalFlag",
        datetimes="dateCreated",
        references="contact",
        others=(*named("member"), Field("_info", "reference", parts=SAVED)),
    ),
)
_PLACES = ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")
_INITIAL = {
    "initialDescription": "detailDescriptionFlag",
    "initialInternalAnalysis": "internalAnalysisFlag",
    "initialResolution": "resolutionFlag",
}
_TEXTS = (
    "Called back, nobody picked up.",
    "<p>Restarted the spooler &amp; printed a test page</p>",
    'The user says: "it works again" 🎉',
    "Waiting for parts\nETA next week",
    "Kennwort zurückgesetzt (Größe: 12 Zeichen)",
    "Don't tell the client: the licence had lapsed.",
)


def _finish(note: Record, _surroundings: Surroundings) -> None:
    """Every note has a place on the ticket's page."""
    if not any(note.get(name) for name in _PLACES):
        message = f"At least one of {', '.join(_PLACES)} must be true."
        raise refuse(NOTE, code="InvalidField", message=message, field=_PLACES[0])
    note.setdefault("internalFlag", bool(note.get("internalAnalysisFlag")))
    note.setdefault("externalFlag", not note["internalFlag"])


def _invent(record_id: int, surroundings: Surroundings) -> Record:
    is_internal = record_id % 4 == 0
    ids = surroundings.tickets.ids()
    return {
        "id": record_id,
        "ticketId": surroundings.pick(ids) if ids else 1,
        "text": surroundings.pick(_TEXTS),
        "detailDescriptionFlag": not is_internal and record_id % 3 != 0,
        "internalAnalysisFlag": is_internal,
        "resolutionFlag": not is_internal and record_id % 3 == 0,
        "issueFlag": False,
        "member": surroundings.entry_of(catalogue.MEMBERS, "/system/members"),
        "customerUpdatedFlag": False,
        "processNotifications": False,
        "internalFlag": is_internal,
        "externalFlag": not is_internal,
    }


def initial_notes(ticket: Record) -> Iterator[Record]:
    """The notes that the body of a new ticket asks for: these fields of it are written, and never returned."""
    for name, place in _INITIAL.items():
        text = ticket.get(name)
        if text is None or text == "":
            continue
        if not isinstance(text, str):
            message = f"The field {name} must be a value of type String."
            raise refuse(TICKET, code="InvalidField", message=message, field=name)
        yield {"text": text, place: True}


SUBJECT = Subject(
    schema=NOTE,
    defaults={
        "detailDescriptionFlag": False,
        "internalAnalysisFlag": False,
        "resolutionFlag": False,
        "issueFlag": False,
        "member": catalogue.MEMBERS[104],
        "customerUpdatedFlag": False,
        "processNotifications": False,
    },
    invent=_invent,
    finish=_finish,
)

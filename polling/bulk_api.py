"""Bulk downloads over HTTP, of the token's instance. A hub's name in front of the path does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from connectors import hub_paths, selection
from connectors.errors import DestinationRefused, OperationNotSupported, UnknownResource
from connectors.selection import Selection
from events import posting
from instances import audited_calls
from instances.api import number
from instances.authentication import instance_of
from instances.configuration import connection_of
from instances.errors import Conflict, InvalidRequest, NotFound
from instances.hub_call import HubCallView, query_of
from instances.models import Instance
from instances.paging import page_of
from instances.serializers import timestamp
from polling import bulk_queries, bulk_results, doorbell
from polling.models import BulkQuery

CALLBACK_HEADER = "Elements-Async-Callback-Url"
CSV = "text/csv"


# The setting names classes; the stubs say what is written there.
_RENDERERS: tuple[type[BaseRenderer], ...] = tuple(cast(Any, api_settings.DEFAULT_RENDERER_CLASSES))


class CsvRenderer(BaseRenderer):
    """Lets clients accept CSV. Results are streamed past it, and errors stay JSON."""

    media_type = CSV
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        raise NotImplementedError


class BulkView(HubCallView):
    """People who may only look see how far a download is, not what it holds."""

    def query(self, request: Request, bulk_id: str) -> BulkQuery:
        query = BulkQuery.objects.filter(instance=instance_of(request), pk=number(bulk_id)).first()
        if query is None:
            raise NotFound(f"This instance has no bulk query {bulk_id[:40]}; results are kept for some days only")
        return query


class BulkQueryView(BulkView):
    """POST bulk/query?q=select * from contacts"""

    def post(self, request: Request, **_path: str) -> Response:
        instance = instance_of(request)
        wanted = selection.parse(_text(request))
        _check_collection(instance, wanted)
        query = bulk_queries.create(instance=instance, selection=wanted, callback_url=_callback_url(request))
        audited_calls.note(
            request,
            "began a bulk download",
            instance=instance,
            subject=f"bulk download {query.pk} of {query.collection}",
        )
        doorbell.ring_on_commit(doorbell.BULK_QUERIES)
        return Response({"id": query.pk, "status": query.state.upper()})


class BulkJobsView(BulkView):
    """GET bulk/jobs: the bulk queries of the instance, newest first."""

    lets_viewers = True

    def get(self, request: Request, **_path: str) -> Response:
        page = page_of(BulkQuery.objects.filter(instance=instance_of(request)), request, is_newest_first=True)
        return page.response([status_object(query) for query in page.rows])


class BulkStatusView(BulkView):
    lets_viewers = True

    def get(self, request: Request, *, bulk_id: str, **_path: str) -> Response:
        return Response(status_object(self.query(request, bulk_id)))


class BulkErrorsView(BulkView):
    """GET bulk/{id}/errors: why it failed. A download fails as a whole: records have no errors of their own."""

    lets_viewers = True

    def get(self, request: Request, *, bulk_id: str, **_path: str) -> Response:
        query = self.query(request, bulk_id)
        return Response([{"message": query.message}] if query.state == BulkQuery.FAILED else [])


class BulkCancelView(BulkView):
    def put(self, request: Request, *, bulk_id: str, **_path: str) -> Response:
        query = bulk_queries.cancel(query_id=self.query(request, bulk_id).pk)
        subject = f"bulk download {query.pk} of {query.collection}"
        audited_calls.note(request, "cancelled a bulk download", instance=query.instance, subject=subject)
        return Response(status_object(query))


class BulkResultView(BulkView):
    """GET bulk/{id}/{objectName}: the records, as JSON or as CSV."""

    renderer_classes = (*_RENDERERS, CsvRenderer)

    def get(self, request: Request, *, bulk_id: str, object_name: str, **_path: str) -> HttpResponseBase:
        query = self.query(request, bulk_id)
        if object_name.strip("/") != query.collection:
            raise NotFound(f"Bulk query {query.pk} reads {query.collection}, not {object_name[:60]}")
        if query.state != BulkQuery.COMPLETED:
            raise Conflict(_not_there(query))
        if request.accepted_renderer.media_type == CSV:
            if query.columns is None:
                raise Conflict("The records have too many columns for a table; select fewer fields, or accept JSON")
            return _streamed(bulk_results.as_csv(query), query, content_type="text/csv; charset=utf-8; header=present")
        answer = _streamed(bulk_results.as_json(query), query, content_type="application/json")
        answer["Content-Length"] = str(bulk_results.json_length(query))
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        # Whatever was accepted: an error is JSON.
        self.request.accepted_renderer = _RENDERERS[0]()
        self.request.accepted_media_type = self.request.accepted_renderer.media_type
        return super().handle_exception(exc)


def status_object(query: BulkQuery) -> dict[str, Any]:
    return {
        **bulk_queries.report(query),
        "createdDate": timestamp(query.created_at),
        "finishedDate": timestamp(query.finished_at) if query.finished_at else None,
    }


def _text(request: Request) -> str:
    """The query, out of the URL or of the body. Raises InvalidRequest."""
    sent = request.data
    text = query_of(request).get("q") or (sent.get("q") if isinstance(sent, dict) else None)
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest("q is missing; for example ?q=select * from contacts where city = 'Tampa'")
    return text


def _check_collection(instance: Instance, wanted: Selection) -> None:
    """What cannot be listed is refused now, not when somebody looks. Raises UnknownResource, OperationNotSupported."""
    connection = connection_of(instance)
    target = hub_paths.locate(connection.element, wanted.collection, transformations=connection.transformations)
    if target.record_id is not None:
        raise UnknownResource(f"{wanted.collection[:60]!r} is one record; a bulk query reads a collection")
    if "list" not in target.operations:
        raise OperationNotSupported(f"{wanted.collection[:60]} cannot be listed")


def _callback_url(request: Request) -> str:
    url = request.headers.get(CALLBACK_HEADER, "").strip()
    if url:
        try:
            posting.check_destination(url)
        except (DestinationRefused, InvalidRequest) as error:
            raise InvalidRequest(f"{CALLBACK_HEADER}: {error}") from error
    return url


def _not_there(query: BulkQuery) -> str:
    if query.state in BulkQuery.UNFINISHED:
        return f"Bulk query {query.pk} is {query.state}: GET /bulk/{query.pk}/status says when it is completed"
    return f"Bulk query {query.pk} is {query.state}: there is no result"


def _streamed(chunks: Iterator[bytes], query: BulkQuery, *, content_type: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(chunks, content_type=content_type)
    answer["Elements-Returned-Count"] = str(query.record_count)
    return answer

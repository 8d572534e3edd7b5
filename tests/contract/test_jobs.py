"""Jobs, usage and bulk downloads."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from instances.usage import RECORDER
from polling import bulk_queries, bulk_run
from tests.contract.platform import CRM, HELP_DESK, Platform

both = pytest.mark.parametrize("key", [CRM, HELP_DESK])
JOB = {
    "name": "Every night",
    "description": "Reads contacts",
    "method": "GET",
    "uri": "/hubs/crm/contacts",
    "query": {"pageSize": "1"},
    "trigger": {"cron": "0 0 3 * * ? *"},
}


@pytest.mark.row("GET, POST /jobs; GET, DELETE /jobs/{id}")
def test_jobs_are_those_that_poll_and_those_that_were_posted(platform: Platform):
    by_token = {"kinds": "UOE", "token": platform.instances[CRM]["token"]}
    polling = platform.get("/jobs")
    made = platform.call("POST", "/jobs", JOB, **by_token).json()

    assert {"id", "name"} <= polling[0].keys()
    assert (made["name"], made["method"], made["uri"]) == (JOB["name"], "GET", JOB["uri"])
    assert made["trigger"]["cron"] == JOB["trigger"]["cron"]  # type: ignore[index]
    assert made["id"] in [one["id"] for one in platform.get("/jobs")]
    assert platform.get(f"/jobs/{made['id']}") == made
    platform.stranger.call("GET", f"/jobs/{made['id']}", status=404)
    platform.call("DELETE", f"/jobs/{made['id']}")
    platform.call("GET", f"/jobs/{made['id']}", status=404)
    platform.call("POST", "/jobs", JOB | {"trigger": {"cron": "whenever"}}, **by_token, status=400)
    assert platform.stranger.get("/jobs") == []


@pytest.mark.row("GET, POST /jobs; GET, DELETE /jobs/{id}")
def test_deleting_the_job_that_polls_stops_the_polling(platform: Platform):
    made = platform.create(CRM, name="Polled", **{"event.notification.enabled": True})
    [job] = [one for one in platform.get("/jobs") if one["id"].endswith(f"-{made['id']}")]

    platform.call("DELETE", f"/jobs/{job['id']}")

    platform.call("GET", f"/jobs/{job['id']}", status=404)
    platform.call("DELETE", f"/instances/{made['id']}")


@pytest.mark.row("GET /usage, /usage/{requestId}")
def test_a_call_is_found_by_its_request_id(platform: Platform):
    RECORDER.start()
    call = platform.hub(CRM, "GET", "/contacts?pageSize=1")
    RECORDER.stop()

    found = platform.get(f"/usage/{call.headers['Elements-Request-Id']}")

    assert found != {}
    assert "pageSize" not in str(found)
    assert len(platform.get("/usage?pageSize=1")) == 1
    platform.call("GET", "/usage/000000000000000000000000", status=404)
    platform.call("GET", "/usage?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z", status=404)
    platform.stranger.call("GET", f"/usage/{call.headers['Elements-Request-Id']}", status=404)


@pytest.mark.row("POST, GET, PUT /hubs/{hub}/bulk/...")
@both
@pytest.mark.parametrize("resource", ["contacts", "organizations", "incidents"])
def test_a_bulk_download_is_what_a_list_of_the_same_query_is(platform: Platform, key, resource):
    started = platform.hub(key, "POST", f"/hubs/any/bulk/query?q=select * from {resource} where id > '2'").json()
    assert started["status"] == "CREATED"
    while claims := bulk_queries.claim():
        for claim in claims:
            bulk_run.go_on(claim)

    status = platform.hub(key, "GET", f"/bulk/{started['id']}/status").json()
    listed = platform.hub(key, "GET", f"/{resource}?where=id > '2'&pageSize=1000").json()
    assert (status["status"], status["recordsCount"]) == ("COMPLETED", len(listed))
    path = f"/hubs/any/bulk/{started['id']}"
    assert platform.hub(key, "GET", f"{path}/{resource}", headers={"Accept": "application/json"}).json() == listed
    text = platform.hub(key, "GET", f"{path}/{resource}", headers={"Accept": "text/csv"}).text
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == [str(one["id"]) for one in listed]
    assert platform.hub(key, "GET", f"{path}/errors").json() == []


@pytest.mark.row("POST, GET, PUT /hubs/{hub}/bulk/...")
def test_a_bulk_download_is_cancelled(platform: Platform):
    started = platform.hub(CRM, "POST", "/bulk/query?q=select * from contacts").json()

    platform.hub(CRM, "PUT", f"/bulk/{started['id']}/cancel")

    assert platform.hub(CRM, "GET", f"/bulk/{started['id']}/status").json()["status"] == "CANCELLED"
    platform.hub(CRM, "GET", "/bulk/999999/status", status=404)
    platform.hub(HELP_DESK, "GET", f"/bulk/{started['id']}/status", status=404)
    platform.hub(CRM, "POST", "/bulk/query?q=drop table contacts", status=400)

from __future__ import annotations

import json
import logging

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import RequestFactory

from config.logs import without_query_strings
from instances.models import Instance
from tests.factories import InstanceFactory

pytestmark = pytest.mark.django_db


def post(client, body: bytes):
    return client.post("/elements/api-v2/authentication", data=body, content_type="application/json")


def test_a_body_over_the_limit_is_refused_before_it_is_parsed(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    answer = post(client, b"[" * 1001)

    assert answer.status_code == 413
    assert answer.json()["message"] == "The body is too large"
    assert post(client, json.dumps({"username": "x" * 900, "password": "y"}).encode()).status_code == 401


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{", "line 1"), (b'{"a": 1, "a": 2}', "a stands twice"), (b'{"a": "\\u0000"}', "a holds a NUL")],
)
def test_json_that_cannot_be_kept_is_refused_with_its_reason(client, body, reason):
    answer = post(client, body)

    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    assert len(answer.json()["requestId"]) == 24
    assert answer["Elements-Request-Id"] == answer.json()["requestId"]


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_body_that_is_no_json_is_415(client, media_type):
    answer = client.post("/elements/api-v2/authentication", data=b"username=a&password=b", content_type=media_type)

    assert answer.status_code == 415
    assert set(answer.json()) == {"requestId", "message"}
    assert answer.json()["message"] == "Send the body with Content-Type: application/json"


@pytest.mark.parametrize("accept", ["text/csv", "text/html;q=1", "a", ";;;", "application/xml, text/plain"])
def test_answer_that_cannot_be_given_is_406(client, accept):
    answer = client.get("/elements/api-v2/elements", headers={"Accept": accept})

    assert answer.status_code == 406
    assert set(answer.json()) == {"requestId", "message"}
    assert "JSON" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/elements/", "//elements", "/elements//", "/elements/keys/"])
def test_slashes_too_many_do_no_harm(client, path):
    assert client.get(f"/elements/api-v2{path}").status_code == 200


def test_api_answers_may_be_framed_and_name_the_headers_that_browsers_may_read(client):
    answer = client.get("/elements/api-v2/elements", headers={"Origin": "https://app.example"})

    assert "X-Frame-Options" not in answer
    assert answer["Access-Control-Expose-Headers"] == (
        "Elements-Returned-Count, Elements-Total-Count, Elements-Request-Id, Elements-Next-Page-Token, "
        "Elements-Trace-Id, Elements-Error, Content-Disposition"
    )
    assert client.get("/console/login/")["X-Frame-Options"] == "DENY"


def test_a_request_in_a_log_line_shows_its_path_only():
    request = RequestFactory().get("/console/", {"email": "ann@example.com"})

    line = without_query_strings(logging.getLogger(), "error", {"event": "x", "request": request, "status": 500})

    assert line == {"event": "x", "request": "/console/", "status": 500}


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_a_call_is_told_when_to_come_again(api, monkeypatch, tmp_path):
    connection.close()
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", str(tmp_path))
        away = api.get("/notifications/subscriptions")

    assert (away.status_code, away["Retry-After"]) == (503, "5")
    assert "ask again" in away.json()["message"]
    assert api.get("/notifications/subscriptions").status_code == 200


def test_a_key_that_is_missing_from_the_keyring_is_named_as_what_it_is(api, owner):
    instance = InstanceFactory.create(user=owner)
    lost = Fernet(Fernet.generate_key())
    Instance.objects.update(configuration_encrypted=lost.encrypt(b"{}").decode())
    answer = api.get(f"/instances/{instance.pk}")

    assert answer.status_code == 503
    assert "FERNET_KEYS" in answer.json()["message"]

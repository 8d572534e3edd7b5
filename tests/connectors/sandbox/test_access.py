"""Who gets in, and what everybody else is told."""

from __future__ import annotations

import base64
import json

import pytest
import requests

from connectors.sandbox import Sandbox

CONTACTS = "/company/contacts"


def authorization(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.get(url, headers=headers, timeout=10)


def test_right_keys_get_in_whatever_the_case_of_the_company(sandbox):
    headers = authorization(f"ACME+{sandbox.public_key}", sandbox.private_key)
    assert ask(sandbox.base_url + CONTACTS, headers).status_code == 200


def test_both_codebases_answer(sandbox, call):
    for codebase in ("v4_6_release", "v2025_1", "v2025_1/"):
        assert call.get(f"{sandbox.url}/{codebase}/apis/3.0/system/info").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v9_9_release/apis/3.0/company/contacts",
        "/v4_6_release/apis/3.0/v4_6_release/apis/3.0/company/contacts",
    ],
)
def test_wrong_and_doubled_paths_cannot_be_routed(sandbox, call, path):
    answer = call.get(sandbox.url + path)
    assert (answer.status_code, answer.text) == (400, "Cannot route. Codebase/company is invalid")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_wrong_company_cannot_be_routed(sandbox):
    answer = ask(sandbox.base_url + CONTACTS, authorization(f"other+{sandbox.public_key}", sandbox.private_key))
    assert (answer.status_code, answer.text) == (400, "Cannot route. Codebase/company is invalid")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff+\xff:\xff").decode()},
        authorization("acmesandboxPublic", "sandboxPrivate"),
    ],
)
def test_no_usable_credentials_are_not_authenticated(sandbox, headers):
    answer = ask(sandbox.base_url + CONTACTS, headers)
    assert answer.status_code == 401
    assert answer.json() == {"code": "ConnectWiseApi", "message": "UserNotAuthenticated"}


@pytest.mark.parametrize("public, private", [("wrong", "sandboxPrivate"), ("sandboxPublic", "wrong")])
def test_wrong_keys_are_unauthorized(sandbox, public, private):
    answer = ask(sandbox.base_url + CONTACTS, authorization(f"acme+{public}", private))
    assert answer.status_code == 401
    assert answer.json() == {"code": "Unauthorized", "message": "Incorrect public/private key"}


def test_private_key_may_hold_colons_and_other_alphabets():
    with Sandbox.start(contacts=1, companies=1, tickets=1, private_key="a:b+ö") as sandbox:
        headers = authorization(f"acme+{sandbox.public_key}", "a:b+ö")
        assert ask(sandbox.base_url + CONTACTS, headers).status_code == 200


@pytest.fixture
def with_integrator():
    with Sandbox.start(
        contacts=1,
        companies=1,
        tickets=1,
        time_entries=1,
        integrator_username="Ünter:Grator",
        integrator_password="p+ä:s",
    ) as sandbox:
        yield sandbox


def test_integrator_login_works_with_its_header_only(with_integrator):
    url = with_integrator.base_url + CONTACTS
    login, header = authorization("acme+Ünter:Grator", "p+ä:s"), {"x-cw-usertype": "integrator"}
    assert ask(url, login | header).status_code == 200
    assert ask(url, login | {"X-CW-UserType": "Integrator"}).status_code == 200
    for refused in (login, login | {"x-cw-usertype": "member"}, authorization("acme+Ünter:Grator", "p+ä") | header):
        answer = ask(url, refused)
        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")


def test_keys_work_without_the_integrators_header_only(with_integrator, sandbox):
    for one in (with_integrator, sandbox):  # with an integrator login, and without any
        keys = authorization(f"acme+{one.public_key}", one.private_key)
        assert ask(one.base_url + CONTACTS, keys).status_code == 200
        assert ask(one.base_url + CONTACTS, keys | {"x-cw-usertype": "member"}).status_code == 200
        assert ask(one.base_url + CONTACTS, keys | {"x-cw-usertype": "integrator"}).status_code == 401


def test_sandbox_tells_its_integrator_login_and_takes_no_half_of_one(with_integrator, sandbox):
    told = with_integrator.credentials()
    assert (told["integratorUsername"], told["integratorPassword"]) == ("Ünter:Grator", "p+ä:s")
    assert "integratorUsername" not in sandbox.credentials()
    with pytest.raises(ValueError, match="go together"):
        Sandbox(integrator_username="x")


def test_client_id_is_asked_for_only_where_the_sandbox_was_told_so(sandbox, call):
    assert call.get("/system/info").status_code == 200
    with Sandbox.start(contacts=1, companies=1, tickets=1, require_client_id=True) as strict:
        headers = authorization(f"acme+{strict.public_key}", strict.private_key)
        url = strict.base_url + "/system/info"
        assert ask(url, headers).status_code == 401
        assert ask(url, headers | {"clientId": "no guid"}).status_code == 401
        assert ask(url, headers | {"ClientID": "0e7e8d27-95cc-4a3b-9f0a-6d8b1d8f8e11"}).status_code == 200


def test_company_info_needs_no_credentials(sandbox):
    info = ask(f"{sandbox.url}/login/companyinfo/Acme").json()
    assert info["Codebase"] == "v2025_1/"
    assert info["IsCloud"] is True
    unknown = ask(f"{sandbox.url}/login/companyinfo/other")
    assert (unknown.status_code, unknown.text) == (200, "null")


def test_system_info_says_which_version_answers(call):
    assert call.get("/system/info").json()["version"] == "v2025.1.99999"


def test_path_outside_the_api_is_an_html_page(sandbox, call):
    answer = call.get(f"{sandbox.url}/nothing/here")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/company/nothing", "/company", "/company/contacts/abc", "/company/contacts/1/more"])
def test_endpoint_that_is_not_there_is_404(call, path):
    answer = call.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"code": "ConnectWiseApi", "message": "The endpoint does not exist."}


@pytest.mark.parametrize(
    "method, path",
    [
        ("DELETE", CONTACTS),
        ("POST", "/company/contacts/count"),
        ("POST", "/company/contacts/1"),
        ("PUT", "/system/info"),
    ],
)
def test_verb_that_is_not_supported_is_405(call, method, path):
    assert call(method, path, json={}).status_code == 405


@pytest.mark.parametrize(
    "method, path", [("POST", CONTACTS), ("PATCH", "/company/contacts/1"), ("PUT", "/company/contacts/1")]
)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ""]
)
def test_body_of_another_content_type_is_415(call, method, path, content_type):
    assert call(method, path, data=b"{}", headers={"Content-Type": content_type}).status_code == 415


def test_content_type_may_carry_a_charset(call):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert call("POST", CONTACTS, data=b'{"firstName":"Ann"}', headers=headers).status_code == 201


def test_url_that_is_too_long_is_414(call):
    assert call.get(CONTACTS, conditions="id=1 or " * 2000 + "id=1").status_code == 414


def test_answers_carry_what_the_real_ones_do(call):
    first, second = call.get("/system/info"), call.get("/company/nothing")
    assert first.headers["api-current-version"] == second.headers["api-current-version"] == "2025.1"
    assert first.headers["x-cw-request-id"] != second.headers["x-cw-request-id"]
    assert first.headers["Date"].endswith("GMT")


def test_log_keeps_what_was_asked_but_no_credentials(sandbox, call):
    call.get(CONTACTS, headers={"clientId": "x"}, conditions="id > 1", pageSize=2)

    logged = sandbox.requests[-1]
    assert (logged.method, logged.path) == ("GET", "/v4_6_release/apis/3.0/company/contacts")
    assert logged.endpoint == CONTACTS
    assert logged.query == {"conditions": "id > 1", "pagesize": "2"}
    assert logged.headers["clientid"] == "x"
    assert "authorization" not in json.dumps(dict(logged.headers)).lower()

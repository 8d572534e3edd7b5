"""The hub API through the web server: a list of 1,000 records against asking the provider itself, and the catalogue."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import requests

from benchmarks.callbacks import load_with, web_server
from benchmarks.harness import compiled, interleaved, process, ratio, seconds, table

RECORDS = 1000
ROUNDS = 20
CATALOGUE_SECONDS = 2.0
CATALOGUE = ("/elements/keys", "/elements", "/elements/connectwisecrmrest/metadata", "/hubs")


def make_caller(account: Mapping[str, str]) -> dict[str, str]:
    """The headers of a caller whose instance has this account."""
    from instances.encryption import encrypt_json, fingerprint, new_organization_secret, new_secret
    from instances.models import Instance, Organization, User

    user_secret, organization_secret, token = new_secret(), new_organization_secret(), new_secret()
    organization = Organization.objects.create(name="bench", secret_hash=fingerprint(organization_secret))
    user = User.objects.create(
        email="bench@example.com", organization=organization, secret_hash=fingerprint(user_secret)
    )
    Instance.objects.create(
        organization=organization,
        user=user,
        element_key="connectwisecrmrest",
        name="bench",
        token_hash=fingerprint(token),
        configuration_encrypted=encrypt_json(
            {
                "baseUrl": account["baseUrl"],
                "company": account["company"],
                "public.key": account["publicKey"],
                "private.key": account["privateKey"],
            }
        ),
    )
    return {"Authorization": f"User {user_secret}, Organization {organization_secret}, Element {token}"}


def direct_headers(account: Mapping[str, str]) -> dict[str, str]:
    credentials = f"{account['company']}+{account['publicKey']}:{account['privateKey']}"
    return {
        "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
        "pagination-type": "forward-only",
    }


def asking(url: str, *, headers: Mapping[str, str], parses: bool) -> Callable[[], float]:
    """One call over a connection that stays open."""
    session = requests.Session()
    session.headers.update(headers)

    def ask() -> None:
        answer = session.get(url, params={"pageSize": RECORDS}, timeout=30)
        assert answer.status_code == 200, answer.text[:300]
        if parses:
            assert len(json.loads(answer.content)) == RECORDS

    return lambda: seconds(ask)


def run() -> str:
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            process(
                *(sys.executable, "-m", "connectors.sandbox", "--port", "0", "--contacts", str(RECORDS)),
                output=subprocess.PIPE,
            )
        )
        assert sandbox.stdout is not None
        url = json.loads(sandbox.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/_sandbox/credentials") as answer:
            account = json.load(answer)
        port = stack.enter_context(web_server("config.wsgi:application"))
        base = f"http://127.0.0.1:{port}/elements/api-v2"
        caller = make_caller(account)
        direct_url, hub_url = f"{account['baseUrl']}/company/contacts", f"{base}/hubs/crm/contacts"
        contenders = {
            "provider": asking(direct_url, headers=direct_headers(account), parses=False),
            "provider + json.loads": asking(direct_url, headers=direct_headers(account), parses=True),
            "hub": asking(hub_url, headers=caller, parses=False),
            "hub + json.loads": asking(hub_url, headers=caller, parses=True),
        }
        interleaved(contenders, rounds=2)  # warm
        results = interleaved(contenders, rounds=ROUNDS)
        per_second = catalogue(stack, port)
    rows = [["milliseconds", "median", "least", "greatest"]]
    for name, values in results.items():
        middle = sorted(values)[len(values) // 2]
        rows.append([name, *(f"{value * 1000:.1f}" for value in (middle, min(values), max(values)))])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    for above, below, goals in (
        ("hub", "provider + json.loads", ("≤ 1.5", "≤ 1.1")),
        ("hub", "provider", ("", "")),
        ("hub + json.loads", "provider + json.loads", ("", "")),
    ):
        each = ratio(results, above, below)
        ratios.append([f"{above} / {below}", *(f"{one:.2f}" for one in each), *goals])
    found = [["catalogue, one web worker", "answers per second", "p50 ms", "p95 ms"], *per_second]
    return "\n\n".join(table(one) for one in (rows, ratios, found))


def catalogue(stack: ExitStack, port: int) -> list[list[str]]:
    """Answers per second by path."""
    load = stack.enter_context(compiled("load.c"))
    rows = []
    for path in CATALOGUE:
        request = load.with_name("catalogue.http")
        request.write_bytes(f"GET /elements/api-v2{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        count, failures, took, p50, p95, _ = load_with(load, port, request, seconds=CATALOGUE_SECONDS, rate=0)
        assert failures == 0, f"{failures} of {count} calls of {path} failed"
        rows.append([f"GET {path}", f"{count / took:,.0f}", f"{p50 / 1000:.1f}", f"{p95 / 1000:.1f}"])
    return rows

"""Callbacks through the web server: the receiver, against a bare view that inserts the same row with the ORM."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.harness import compiled, interleaved, process, ratio, table

ROUNDS = 5
ROUND_SECONDS = 2.0
"""So short that fewer callbacks come than may wait."""
CONNECTIONS = 32
STEADY_RATE = 50
STEADY_SECONDS = 10.0
SHARED_SECRET = "a-shared-secret-of-the-benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the load generator says of one run. Times in milliseconds."""

    per_second: float
    p50: float
    p95: float
    p99: float


def body() -> bytes:
    """About 2 KB, as ConnectWise posts it."""
    contact = {"id": 7601, "firstName": "Zoë", "notes": "x" * 1500, "_info": {"lastUpdated": "2026-11-22T10:00:00Z"}}
    callback = {
        "MessageId": "6dd82302-88e5-4a51-9a9b-7d1d2d9b3f01",
        "FromUrl": "connectwise.example",
        "CompanyId": "acme",
        "Action": "updated",
        "Type": "contact",
        "ID": 7601,
        "Entity": orjson.dumps(contact).decode(),
        "Metadata": {"key_url": "https://connectwise.example//system/callbackkey/index.rails?companyName=acme&id=7"},
        "CallbackObjectRecId": 26604,
    }
    return orjson.dumps(callback)


def signature(content: bytes) -> str:
    key = hashlib.sha256(SHARED_SECRET.encode()).digest()
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def request_to(address: str) -> bytes:
    content = body()
    head = (
        f"POST /elements/api-v2/events/connectwisehd/{address}?recordId=7601&action=updated HTTP/1.1\r\n"
        f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        f"x-content-signature: {signature(content)}\r\n\r\n"
    )
    return head.encode() + content


def make_inbox() -> tuple[int, str]:
    """An instance whose inbox is open: its id and the inbox's token."""
    from benchmarks.delivery import make_instance
    from events.models import Inbox
    from instances.encryption import encrypt, fingerprint, new_path_secret

    instance, _, _ = make_instance("http://127.0.0.1:9")
    token = new_path_secret()
    Inbox.objects.create(
        instance_id=instance,
        element_key="connectwisehd",
        token_hash=fingerprint(token),
        token_encrypted=encrypt(token),
        is_open=True,
    )
    return instance, token


@contextmanager
def web_server(application: str) -> Iterator[int]:
    """Granian as `make up` runs it; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--interface", "wsgi", "--no-ws", "--workers", "1", "--blocking-threads", "8", "--backpressure", "64")
    command = (sys.executable, "-m", "granian", application, *options, "--port", str(port), "--log-level", "warning")
    with process(*command):
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the web server did not start"
            time.sleep(0.05)
        yield port


def run(*, rounds: int = ROUNDS) -> str:
    from django.db import connection

    instance, token = make_inbox()
    with ExitStack() as stack:
        load = stack.enter_context(compiled("load.c"))
        ports = {"receiver": stack.enter_context(web_server("config.wsgi:application"))}
        for name, middleware in (("bare view", "none"), ("bare view, default middleware", "default")):
            os.environ["BARE_MIDDLEWARE"] = middleware
            ports[name] = stack.enter_context(web_server("benchmarks.bare:application"))
        requests = {}
        for name in ports:
            requests[name] = load.with_name(f"{name}.http")
            requests[name].write_bytes(request_to(token if name == "receiver" else str(instance)))

        def measured(name: str, *, seconds: float, rate: int = 0) -> Measured:
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE events_callback")
                cursor.execute("CHECKPOINT")
            found = load_with(load, ports[name], requests[name], seconds=seconds, rate=rate)
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM events_callback")
                assert cursor.fetchone() == (found[0],), "every callback that was answered is stored"
            count, failures, took, *percentiles = found
            assert failures == 0, f"{failures} of {count} were not answered 200"
            p50, p95, p99 = (one / 1000 for one in percentiles)
            return Measured(per_second=count / took, p50=p50, p95=p95, p99=p99)

        contenders = {name: lambda name=name: measured(name, seconds=ROUND_SECONDS).per_second for name in ports}
        interleaved(contenders, rounds=1)  # warm
        results = interleaved(contenders, rounds=rounds)
        steady = {name: measured(name, seconds=STEADY_SECONDS, rate=STEADY_RATE) for name in ("receiver", "bare view")}
        connection.close()
    rows = [["callbacks per second", "median", "least", "greatest"]]
    for name, values in results.items():
        rows.append([name, f"{sorted(values)[len(values) // 2]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}"])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    for below, must, hope in (("bare view", "≥ 0.9", "≥ 2"), ("bare view, default middleware", "", "")):
        middle, least, greatest = ratio(results, "receiver", below)
        ratios.append([f"receiver / {below}", f"{middle:.2f}", f"{least:.2f}", f"{greatest:.2f}", must, hope])
    answers = [[f"milliseconds to the answer at {STEADY_RATE}/s", "p50", "p95", "p99", "must", "hoped for"]]
    for name, one in steady.items():
        goals = ["p95 ≤ 15", "p95 ≤ 5"] if name == "receiver" else ["", ""]
        answers.append([name, f"{one.p50:.1f}", f"{one.p95:.1f}", f"{one.p99:.1f}", *goals])
    return "\n\n".join(table(one) for one in (rows, ratios, answers))


def load_with(
    program: Path, port: int, request: Path, *, seconds: float, rate: int
) -> tuple[int, int, float, int, int, int]:
    """Answers, those that were not 200, seconds, and the percentiles in microseconds."""
    command = [str(program), str(port), str(request), str(CONNECTIONS), str(seconds), str(rate)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60)
    count, failures, took, p50, p95, p99 = done.stdout.split()
    return int(count), int(failures), float(took), int(p50), int(p95), int(p99)

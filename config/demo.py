"""The whole system on real traffic: `make demo`.

Starts the stack with a ConnectWise sandbox and a callback receiver, creates an account and an instance of each element
over HTTP, changes records at the sandbox, and prints every standardized event as it arrives, with its signature check.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import environment, stack
from config.environment import BASE_DIR, MisconfiguredEnvironment

LOGIN = "demo@example.com"
START_SECONDS = 180
"""Seconds suffice on an idle machine; a busy one takes minutes."""
PATIENCE_SECONDS = 20
ARRIVAL_SECONDS = 45
POLL_MINUTES = "0.05"
DATES = {
    "updatedDateField": "_info.lastUpdated",
    "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'",
    "updatedDateTimezone": "GMT",
    "createdDateField": "_info.lastUpdated",
    "createdDateFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'",
    "createdDateTimezone": "GMT",
}


class DemoFailed(Exception):
    """The message says what did not happen, and where to look."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that a change at the sandbox must lead to."""

    element_key: str
    event_type: str
    object_type: str
    object_id: str


def call(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """JSON in, JSON out. Raises DemoFailed with the answer's own words."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310
        url, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as refused:
        raise DemoFailed(f"{method} {url} answered {refused.code}: {refused.read().decode()[:500]}") from refused
    return json.loads(text) if text else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, supervisor: subprocess.Popen[bytes]) -> None:
    started, is_late = time.monotonic(), False
    while True:
        with contextlib.suppress(OSError, DemoFailed):
            call("GET", url)
            return
        waited = time.monotonic() - started
        if supervisor.poll() is not None or waited > START_SECONDS:
            raise DemoFailed(f"{url} does not answer; the logs are in {environment.var_dir() / 'logs'}")
        if waited > PATIENCE_SECONDS and not is_late:
            print("Still starting; a busy machine needs minutes ...", flush=True)
            is_late = True
        time.sleep(0.2)


def create_account() -> tuple[dict[str, Any], str]:
    password = secrets.token_hex(6)  # never begins with a dash, which would read as an option
    command = [sys.executable, "manage.py", "create_account", "--organization", "Demo", "--login", LOGIN]
    done = subprocess.run([*command, "--password", password], cwd=BASE_DIR, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"create_account failed: {done.stderr.strip()}")
    return json.loads(done.stdout), password


def polling_instance(sandbox: dict[str, str], callback_url: str, key: str) -> dict[str, Any]:
    """The body of the documentation's example: one instance that polls contacts, organizations and incidents."""
    pollers = {
        resource: {
            "url": f"/hubs/crm/{resource}?where=lastUpdated>'${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'",
            "idField": "id",
            "datesConfiguration": DATES,
        }
        for resource in ("contacts", "organizations", "incidents")
    }
    return {
        "element": {"key": "connectwisecrmrest"},
        "name": "Demo CRM",
        "tags": ["demo"],
        "configuration": {
            "baseUrl": sandbox["baseUrl"],
            "company": sandbox["company"],
            "public.key": sandbox["publicKey"],
            "private.key": sandbox["privateKey"],
            "event.notification.enabled": True,
            "event.notification.callback.url": callback_url,
            "event.notification.signature.key": key,
            "event.poller.refresh_interval": POLL_MINUTES,
            "event.poller.configuration": pollers,
        },
    }


def webhook_instance(sandbox: dict[str, str], callback_url: str, key: str) -> dict[str, Any]:
    """The other example: ConnectWise tells this one of changes by callbacks."""
    return {
        "element": {"key": "connectwisehd"},
        "name": "Demo help desk",
        "tags": ["demo"],
        "configuration": {
            "helpdesk.connectwise.server.url": sandbox["url"],
            "helpdesk.connectwise.company": sandbox["company"],
            "helpdesk.connectwise.username": sandbox["publicKey"],
            "helpdesk.connectwise.password": sandbox["privateKey"],
            "event.notification.enabled": True,
            "event.notification.callback.url": callback_url,
            "event.notification.signature.key": key,
        },
    }


def change_records(sandbox_url: str) -> list[Expected]:
    """Change, at the provider, what the instances watch. Returns the events that must follow."""

    def add(collection: str, fields: dict[str, Any]) -> str:
        return str(call("POST", f"{sandbox_url}/_sandbox/{collection}", fields)["id"])

    def edit(collection: str, record_id: str, fields: dict[str, Any]) -> str:
        return str(call("PATCH", f"{sandbox_url}/_sandbox/{collection}/{record_id}", fields)["id"])

    def some(collection: str, position: int) -> str:
        return str(call("GET", f"{sandbox_url}/_sandbox/{collection}")[position])

    contact = add("contacts", {"firstName": "Zoë", "lastName": "O'Brien", "title": "CTO"})
    edited = edit("contacts", some("contacts", 6), {"title": "Head of Everything"})
    company = edit("companies", some("companies", 2), {"city": "Tampa"})
    ticket = add("tickets", {"summary": "The printer is on fire"})
    gone = some("contacts", 9)
    call("DELETE", f"{sandbox_url}/_sandbox/contacts/{gone}")
    changes = [
        ("CREATED", "contacts", contact),
        ("UPDATED", "contacts", edited),
        ("UPDATED", "organizations", company),
        ("CREATED", "incidents", ticket),
    ]
    by_both = [Expected(key, *one) for key in ("connectwisecrmrest", "connectwisehd") for one in changes]
    # What is deleted leaves no trace for a poll to find.
    return [*by_both, Expected("connectwisehd", "DELETED", "contacts", gone)]


def arriving(receiver_url: str) -> Iterator[dict[str, Any]]:
    """Notifications, each once, as the receiver gets them; ends after ARRIVAL_SECONDS."""
    seen = 0
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        notifications = call("GET", f"{receiver_url}/_receiver/notifications")
        yield from notifications[seen:]
        seen = len(notifications)
        time.sleep(0.2)


def show(notification: dict[str, Any]) -> list[Expected]:
    verdicts = notification["verdicts"]
    message = notification["body"]["message"]
    found = []
    for event in message["events"]:
        found.append(Expected(message["elementKey"], event["eventType"], event["objectType"], event["objectId"]))
        print(
            f"  {message['elementKey']:<18} {event['eventType']:<8} {event['objectType']:<13} {event['objectId']:<6}"
            f" {event['date']}  event {message['eventId']}"
        )
    print(
        f"                     signatures: Elements {verdicts['elements']}, Standard Webhooks {verdicts['standard']}",
        flush=True,
    )
    if (verdicts["elements"], verdicts["standard"]) != ("valid", "valid"):
        raise DemoFailed(f"event {message['eventId']} arrived with a signature that does not hold")
    return found


def tell_the_story(base_url: str, sandbox_url: str, receiver_url: str, key: str) -> str:
    """Returns what there is to try while the demo runs. Raises DemoFailed."""
    account, password = create_account()
    headers = {"Authorization": f"User {account['userSecret']}, Organization {account['organizationSecret']}"}
    sandbox = call("GET", f"{sandbox_url}/_sandbox/credentials")
    polling, webhook = (
        call("POST", f"{base_url}/elements/api-v2/instances", make(sandbox, f"{receiver_url}/callback", key), headers)
        for make in (polling_instance, webhook_instance)
    )
    print(f"Instance {polling['id']} of {polling['element']['key']} polls ConnectWise every {POLL_MINUTES} minutes.")
    registered = webhook["configuration"]["event.notification.subscription.id"]
    if not registered or webhook.get("registrationProblem"):
        raise DemoFailed(f"callbacks were not registered: {webhook.get('registrationProblem')}")
    print(f"Instance {webhook['id']} of {webhook['element']['key']} has registered callbacks {registered} there.\n")

    missing = change_records(sandbox_url)
    print(
        f"Changed five records at the sandbox. {len(missing)} events must follow: both instances tell of four changes, "
        "and of the deletion only the one with callbacks, since polls find no deletions. As they arrive:\n"
    )
    for notification in arriving(receiver_url):
        for event in show(notification):
            if event not in missing:
                raise DemoFailed(f"{event} arrived, which nobody caused or which had arrived before")
            missing.remove(event)
        if not missing:
            break
    if missing:
        raise DemoFailed(f"did not arrive in {ARRIVAL_SECONDS} s: {missing}; logs: {environment.var_dir() / 'logs'}")

    hub_headers = {"Authorization": f"User {account['userSecret']}, Element {polling['token']}"}
    contacts = call("GET", f"{base_url}/elements/api-v2/hubs/crm/contacts?pageSize=2", headers=hub_headers)
    print(
        f"\nEvery event arrived once. The hub API answers too: {len(contacts)} contacts read with the instance's token."
    )
    return (
        "\nTry it:\n"
        f"  curl -H 'Authorization: {headers['Authorization']}' {base_url}/elements/api-v2/instances\n"
        f'  curl -X PATCH -d \'{{"title": "Boss"}}\' {sandbox_url}/_sandbox/contacts/{contacts[0]["id"]}\n'
        f'  curl -X POST -d \'{{"status": 500, "times": 3}}\' {receiver_url}/_receiver/behave   # fail thrice\n'
        "\nAn instance of your own takes the sandbox's\n"
        f"  baseUrl {sandbox['baseUrl']}   company {sandbox['company']}\n"
        f"  public.key {sandbox['publicKey']}   private.key {sandbox['privateKey']}\n"
        "(of connectwisehd: server URL, user name and password),\n"
        f"and a receiver that prints what it gets to {environment.var_dir() / 'logs' / 'receiver.log'}:\n"
        f"  event.notification.callback.url {receiver_url}/callback   event.notification.signature.key {key}\n"
        f"\nConsole: {base_url}/console/   login {LOGIN}   password {password}"
    )


def prepare_environment() -> None:
    """Settings for this process and all it starts. A demo begins with empty tables each time."""
    home = environment.var_dir() / "demo"
    os.environ["VAR_DIR"] = str(home)
    os.environ.setdefault("EGRESS_ALLOW_NETWORKS", "127.0.0.0/8")
    os.environ.setdefault("POLL_INTERVAL_FLOOR", "2")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    for external in ("DATABASE_URL", "REDIS_URL"):
        if os.environ.get(external):
            raise MisconfiguredEnvironment(f"the demo brings its own servers; unset {external}, or use `make up`")
    if not stack.is_running():
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when every event has arrived")
    arguments = parser.parse_args()
    prepare_environment()
    key = secrets.token_hex(16)
    sandbox_port, receiver_port = free_port(), free_port()
    helpers = [
        stack.Program(
            name="sandbox",
            command=stack.python("-m", "connectors.sandbox", "--port", str(sandbox_port)),
            is_app=False,
        ),
        stack.Program(
            name="receiver",
            command=stack.python("manage.py", "listen", "--port", str(receiver_port), "--key", key),
            is_app=False,
        ),
    ]
    configuration: Path = stack.write_configuration(also=helpers)
    base_url = f"http://127.0.0.1:{environment.port()}"
    sandbox_url, receiver_url = f"http://127.0.0.1:{sandbox_port}", f"http://127.0.0.1:{receiver_port}"
    print(f"Starting Switchyard on {base_url} (logs in {environment.var_dir() / 'logs'}) ...", flush=True)
    supervisor = subprocess.Popen(stack.supervisord(configuration), start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failure = ""
    try:
        wait_until_up(f"{base_url}/elements/api-v2/elements", supervisor)
        wait_until_up(f"{sandbox_url}/_sandbox/credentials", supervisor)
        wait_until_up(f"{receiver_url}/_receiver/notifications", supervisor)
        to_try = tell_the_story(base_url, sandbox_url, receiver_url, key)
        if not arguments.once:
            print(to_try)
            print("Running until Ctrl-C.", flush=True)
            supervisor.wait()
    except DemoFailed as problem:
        failure = str(problem)
    except KeyboardInterrupt:
        print("\nEnding.")
    finally:
        supervisor.terminate()
        supervisor.wait(60)
    if failure:
        sys.exit(f"demo: {failure}")


if __name__ == "__main__":
    main()

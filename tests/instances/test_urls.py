"""Every path at once: strangers find nothing, and no answer, page or log line tells a secret."""

from __future__ import annotations

import logging

from connectors.configuration_entries import entries_of
from instances import urls
from instances.encryption import decrypt
from instances.models import Instance
from instances.signals import instance_configured
from tests.api_client import Api
from tests.factories import InstanceFactory

CANARIES = {
    "event.notification.signature.key": "canary-signature",
    "oauth.api.secret": "canary-oauth",
    "our.own.password": "canary-own",
    "other.privateKey": "canary-camel",
}
OPEN = {"authentication", "authentication/secrets"}


def paths_of(instance: Instance) -> list[str]:
    return [
        "/"
        + str(one.pattern)
        .replace("<str:key_or_id>", instance.element_key)
        .replace("<str:instance_id>", str(instance.pk))
        .replace("<str:entry_id>", str(entries_of(instance.element)[0].id))
        for one in urls.urlpatterns
        if str(one.pattern) not in OPEN
    ]


def test_stranger_finds_none_of_it_and_changes_nothing(owner, stranger):
    instance = InstanceFactory.create(user=owner)
    before = Instance.objects.values().get()
    told = []
    instance_configured.connect(receiver := lambda **signal: told.append(signal))  # a strong reference is needed
    intruder = Api(stranger).through(instance)

    for path in paths_of(instance):
        if path.startswith("/elements") and "instances" not in path:
            continue
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            sent = {"name": "mine", "propertyValue": "mine", "configuration": {"company": "mine"}}
            answer = intruder.call(method, path, None if method == "GET" else sent)
            is_own_empty_list = method == "GET" and answer.json() in ([], {"totalInstances": 0, "elementInstances": []})
            assert answer.status_code in (400, 401, 404, 405) or is_own_empty_list, (method, path, answer.content)
            assert b"acme" not in answer.content

    instance_configured.disconnect(receiver)
    assert Instance.objects.values().get() == before
    assert told == []


def test_no_answer_page_or_log_line_tells_a_secret(api, body, sandbox, owner, client, caplog):
    owner.is_superuser = True
    owner.save()
    caplog.set_level(logging.DEBUG)
    body["configuration"] |= CANARIES | {"event.notification.enabled": True}
    answer = api.post("/instances", body)
    instance = Instance.objects.get(pk=answer.json()["id"])
    answers = [answer]

    caller = api.through(instance)
    answers += [caller.get(path) for path in paths_of(instance)]
    for entry in caller.get("/instances/configuration").json():
        answers.append(caller.get(f"/instances/configuration/{entry['id']}"))
    refused = api.patch(f"/instances/{instance.pk}", {"configuration": {"private.key": "canary-refused"}})
    assert refused.status_code == 400
    answers += [refused, api.put(f"/instances/{instance.pk}", answer.json())]

    client.force_login(owner)
    for page in ("", f"instances/instance/{instance.pk}/change/", "instances/instance/", "instances/user/"):
        answers.append(client.get(f"/console/{page}"))
        assert answers[-1].status_code == 200, page

    secrets = [sandbox.private_key, *CANARIES.values(), "canary-refused"]
    columns = [instance.configuration_encrypted, instance.token_encrypted, owner.secret_encrypted, owner.secret_hash]
    for one in answers:
        for secret in (*secrets, *columns):
            assert secret not in one.content.decode(), one.request["PATH_INFO"]
    log = "\n".join(str(vars(record)) for record in caplog.records)
    assert "instance created" in log
    for secret in (*secrets, decrypt(instance.token_encrypted), decrypt(owner.secret_encrypted)):
        assert secret not in log

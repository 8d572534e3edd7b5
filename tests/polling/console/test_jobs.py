from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from instances.models import AuditEntry, Instance, User
from polling import job_requests, jobs
from polling.console import overview
from polling.models import Job
from tests.factories import InstanceFactory, UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/console/polling/job/"
SENT: dict[str, Any] = {
    "name": "Nightly <b>sync</b>",
    "method": "POST",
    "uri": "/hubs/crm/contacts",
    "query": {"secretish": "canary-query"},
    "body": {"firstName": "<img src=x>"},
    "trigger": {"cron": "0 0 3 * * ?"},
}


def make(owner: User, count: int = 1) -> list[Job]:
    instance = InstanceFactory.create(user=owner)
    wanted = job_requests.parse(SENT, element=instance.element, transformations={}, now=timezone.now())
    return [jobs.create(instance=instance, user=owner, wanted=wanted) for _ in range(count)]


@pytest.fixture
def job(owner) -> Job:
    [one] = make(owner)
    return one


def done() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_a_job_shows_what_it_does_and_its_body_on_request(client, owner, job):
    client.force_login(owner)
    listed, page = client.get(PAGE).content.decode(), client.get(f"{PAGE}{job.pk}/change/").content.decode()

    assert "Nightly &lt;b&gt;sync&lt;/b&gt;" in listed
    for shown in ("POST /hubs/crm/contacts", "0 0 3 * * ?", "canary-query", owner.email, "Run now"):
        assert shown in page
    assert "firstName" not in page
    body = client.post(f"{PAGE}{job.pk}/body/").content.decode()
    assert "&lt;img src=x&gt;" in body
    assert done() == ["looked at the body of a job"]


@pytest.mark.parametrize("count", [3, 30])
def test_the_list_costs_the_same_for_few_and_many(client, owner, django_assert_max_num_queries, count):
    make(owner, count)
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get(PAGE)


def test_it_is_run_stopped_started_and_deleted(client, owner, job):
    client.force_login(owner)

    def act(action: str) -> str:
        return str(client.post(f"{PAGE}{job.pk}/{action}/", {"epoch": job.epoch}, follow=True).content.decode())

    assert "It runs now" in act("run")
    [claimed] = jobs.claim(limit=9)
    assert claimed.job_id == job.pk
    assert "A run is under way" in act("run")
    jobs.succeeded(jobs.begin(claimed)[0])
    assert "one was made since" in act("run")
    assert jobs.claim(limit=9) == []
    page = client.get(f"{PAGE}{job.pk}/change/").content.decode()
    job.refresh_from_db()
    assert f'name="epoch" value="{job.epoch}"' in page
    assert "until somebody starts it" in act("stop")
    assert "Somebody stopped it." in client.get(f"{PAGE}{job.pk}/change/").content.decode()
    assert "start it first" in act("run")
    assert "runs again at its times" in act("start")
    job.refresh_from_db()
    assert job.is_active
    assert job.next_run_at > timezone.now()
    assert "is deleted" in act("remove")
    assert not Job.objects.exists()
    assert done() == ["asked for a run of a job", "stopped a job", "started a job", "deleted a job"]


def test_what_was_stopped_by_hand_is_not_started_by_a_change_of_the_configuration(owner, job):
    Job.objects.update(failures=3, next_run_at=timezone.now())
    [claimed] = jobs.claim(limit=1)
    under_way, _ = jobs.begin(claimed)
    jobs.stop(job_id=job.pk)
    jobs.failed(under_way, "ConnectWise is down")
    jobs.resume(instance=job.instance)

    assert not Job.objects.get().is_active


def test_a_job_that_has_no_further_time_says_so(client, owner, job):
    Job.objects.update(is_active=False, cron="0 0 3 1 1 ? 2020", stopped_reason=jobs.NO_MORE)
    client.force_login(owner)

    assert jobs.NO_MORE in client.post(f"{PAGE}{job.pk}/start/", follow=True).content.decode()
    assert not Job.objects.get().is_active


def test_a_job_of_somebody_who_may_not_make_the_call_any_more_waits_and_says_so(client, owner, colleague, job):
    Job.objects.update(user=colleague, next_run_at=timezone.now())
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    client.force_login(owner)

    assert f"in the name of {colleague.email}, who may not" in client.get(f"{PAGE}{job.pk}/change/").content.decode()
    assert f"{colleague.email} may not" in client.post(f"{PAGE}{job.pk}/run/", follow=True).content.decode()
    assert done() == []


def test_jobs_of_a_disabled_instance_wait(client, owner, job):
    Instance.objects.update(is_disabled=True)
    client.force_login(owner)

    assert "Its job waits until it is enabled." in overview.of_polling(Instance.objects.get(), "disable")
    assert "wait until it is enabled" in client.post(f"{PAGE}{job.pk}/run/", follow=True).content.decode()
    assert done() == []


def test_a_stranger_finds_none_and_a_viewer_changes_nothing(client, owner, stranger, job):
    before = Job.objects.values().get()
    for user, status in ((stranger, 404), (UserFactory(organization=owner.organization, role=User.VIEWER), 403)):
        client.force_login(user)
        for action in ("run", "stop", "start", "remove", "body"):
            assert client.post(f"{PAGE}{job.pk}/{action}/").status_code == status
    page = client.get(f"{PAGE}{job.pk}/change/").content.decode()
    assert "POST /hubs/crm/contacts" in page
    for hidden in ("canary-query", "Run now", "Delete this job", "Show the body"):
        assert hidden not in page
    client.force_login(stranger)
    assert client.get(f"{PAGE}{job.pk}/change/").status_code == 404
    assert "Nightly" not in client.get(PAGE).content.decode()
    assert json.dumps(Job.objects.values().get(), default=str) == json.dumps(before, default=str)
    assert done() == []

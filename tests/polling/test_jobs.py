"""Jobs: calls of the hub that are made at the times of a cron expression."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from connectors.sandbox import Sandbox
from instances import provisioning
from instances.errors import Conflict, InvalidRequest
from instances.models import Instance, User
from polling import job_requests, job_run, jobs
from polling.jobs import JobClaim
from polling.models import Job
from polling.schedule import LostLease
from tests.polling.bulk_driving import instance_at

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EVERY_HOUR = {"cron": "0 0 * * * ?"}
READS = {"name": "Nightly", "method": "GET", "uri": "/hubs/crm/contacts?pageSize=1", "trigger": EVERY_HOUR}


@pytest.fixture(scope="module")
def provider():
    with Sandbox.start(contacts=5, companies=2, tickets=1) as running:
        yield running


@pytest.fixture
def sandbox(provider):
    provider.requests.clear()
    yield provider
    provider.behave_well()


@pytest.fixture
def instance(owner, sandbox):
    return instance_at(sandbox, user=owner)


def parsed(instance, sent):
    return job_requests.parse(sent, element=instance.element, transformations={}, now=timezone.now())


@pytest.fixture
def make(instance, owner):
    def make(**sent) -> Job:
        return jobs.create(instance=instance, user=owner, wanted=parsed(instance, READS | sent))

    return make


def run(job: Job) -> Job:
    """Now, whatever the clock says."""
    Job.objects.filter(pk=job.pk).update(next_run_at=timezone.now() - timedelta(minutes=1), leased_until=None)
    [claimed] = jobs.claim(limit=10)
    job_run.run(claimed)
    return Job.objects.get(pk=job.pk)


def calls(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(request.method, request.endpoint) for request in sandbox.requests]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, [("GET", "/company/contacts")]),
        ({"uri": "/elements/api-v2/hubs/crm/contacts/2"}, [("GET", "/company/contacts/2")]),
        ({"uri": "contacts", "query": {"where": "id > 2", "fields": "id"}}, [("GET", "/company/contacts")]),
        ({"method": "PATCH", "uri": "/contacts/3", "body": {"title": "CFO"}}, [("PATCH", "/company/contacts/3")]),
        ({"method": "DELETE", "uri": "/contacts/5"}, [("DELETE", "/company/contacts/5")]),
    ],
)
def test_a_job_makes_its_call(make, sandbox, sent, expected):
    job = run(make(**sent))

    assert (job.last_status, job.last_error, job.failures, job.leased_until) == (Job.SUCCEEDED, "", 0, None)
    assert calls(sandbox) == expected
    assert job.next_run_at > timezone.now()
    assert job.next_run_at.minute == 0


def test_a_job_that_writes_creates_and_replaces(make, sandbox):
    before = len(sandbox.contacts)
    created = make(method="POST", uri="/contacts", body={"firstName": "Ada", "lastName": "Night"})
    run(created)

    assert len(sandbox.contacts) == before + 1


def test_a_job_that_is_not_due_is_not_claimed(make):
    make()
    assert jobs.claim(limit=10) == []


def test_a_run_is_used_up_before_its_call(make, sandbox):
    """Whoever dies with it leaves it out: it is not made a second time."""
    job = make()
    Job.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    [claimed] = jobs.claim(limit=10)
    jobs.begin(claimed)

    Job.objects.update(leased_until=None)
    assert jobs.claim(limit=10) == []
    job_run.run(claimed)  # a doubled message
    assert calls(sandbox) == []
    with pytest.raises(LostLease):
        jobs.begin(JobClaim(job.pk, claimed.epoch))


def test_failures_are_counted_and_stop_the_job_in_the_end(make, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    sandbox.behave(times=2, status=500)
    job = run(make())
    assert (job.last_status, job.failures, job.is_active) == (Job.FAILED, 1, True)
    assert job.last_error

    job = run(job)
    assert (job.failures, job.is_active) == (2, False)
    assert job.stopped_reason.startswith("Stopped after 2 runs failed in a row")
    assert jobs.claim(limit=10) == []


def test_what_failures_stopped_goes_on_once_the_configuration_is_changed(make, instance):
    job = make()
    Job.objects.update(is_active=False, failures=3, stopped_reason="x", next_run_at=timezone.now() - timedelta(days=1))
    provisioning.update(instance_id=instance.pk, configuration={"filter.response.nulls": False})

    job.refresh_from_db()
    assert (job.is_active, job.failures, job.stopped_reason) == (True, 0, "")
    assert job.next_run_at > timezone.now()


def test_a_success_forgets_failures(make):
    job = make()
    Job.objects.update(failures=3, last_error="before")

    assert (run(job).failures, run(job).last_error) == (0, "")


def test_a_path_that_no_longer_leads_anywhere_is_a_failure(make):
    job = make()
    Job.objects.update(uri="/gone")

    assert "gone" in run(job).last_error


def test_a_job_with_no_further_moment_ends_after_its_last_run(make, sandbox):
    job = make()
    Job.objects.update(cron="0 0 0 1 1 ? 2020")
    job = run(job)

    assert (job.is_active, job.stopped_reason, job.last_status) == (False, jobs.NO_MORE, Job.SUCCEEDED)
    assert len(calls(sandbox)) == 1


@pytest.mark.parametrize(
    ("method", "change", "is_run"),
    [
        ("GET", {"role": User.VIEWER}, False),
        ("GET", {"is_active": False}, False),
        ("GET", {"organization": None}, False),
    ],
)
def test_a_job_runs_as_long_as_its_user_may_make_the_call(make, owner, method, change, is_run):
    make(method=method, uri="/contacts/4")
    User.objects.filter(pk=owner.pk).update(**change)
    Job.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))

    assert len(jobs.claim(limit=10)) == is_run


def test_the_jobs_of_a_disabled_instance_stand_still(make, instance):
    make()
    Job.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    instance.is_disabled = True
    instance.save()

    assert jobs.claim(limit=10) == []


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Instance, {"is_disabled": True}),
        (User, {"role": User.VIEWER}),
        (User, {"is_active": False}),
        (User, {"organization": None}),
    ],
)
def test_a_job_whose_message_waited_asks_again_whether_it_may_be_run(make, sandbox, model, change):
    make(method="DELETE", uri="/contacts/1")
    Job.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    [claimed] = jobs.claim(limit=10)
    model.objects.update(**change)

    job_run.run(claimed)

    assert calls(sandbox) == []
    assert Job.objects.get().last_run_at is None


def test_an_instance_has_a_limited_number_of_jobs(make):
    job = make()
    job.pk = None
    Job.objects.bulk_create([job] * (jobs.MOST_JOBS - 1))
    with pytest.raises(Conflict, match="delete one"):
        make()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"uri": ""}, "uri is missing"),
        ({"uri": "http://169.254.169.254/contacts"}, "uri: "),
        ({"uri": "/hubs/crm"}, "uri: "),
        ({"uri": "/nothing"}, "uri: connectwisecrmrest has no resource 'nothing'"),
        ({"uri": "/contacts?where=%00"}, "query: a NUL"),
        ({"uri": "/contacts?where=%ff"}, "uri: The query is not UTF-8"),
        ({"method": "TRACE"}, "method: send one of"),
        ({"method": "POST", "uri": "/contacts/5"}, "method: POST cannot be used for contacts"),
        ({"method": "DELETE", "uri": "/configurations"}, "method: DELETE cannot be used"),
        ({"method": "POST", "uri": "/contacts", "body": []}, "body: send a JSON object"),
        ({"method": "POST", "uri": "/contacts"}, "body: send a JSON object"),
        ({"query": ["where"]}, "query: send a JSON object"),
        ({"query": {"where": {}}}, "query: send parameters as text"),
        ({"query": {"where": "x" * 17_000}}, "query: where is longer"),
        ({"trigger": None}, "trigger: send"),
        ({"trigger": {"cron": 5}}, "trigger: send"),
        ({"trigger": {"cron": "whenever"}}, "trigger.cron: "),
        ({"trigger": {"cron": "0/5 * * * * ?"}}, "trigger.cron: seconds"),
        ({"name": "x" * 256}, "name: it is longer than 255"),
        ({"name": 5}, "name is missing"),
    ],
)
def test_what_is_no_job_is_refused_by_its_field(instance, sent, message):
    with pytest.raises(InvalidRequest) as refused:
        parsed(instance, READS | sent)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("sent", [None, [], "x"])
def test_a_job_is_an_object(instance, sent):
    with pytest.raises(InvalidRequest):
        parsed(instance, sent)


def test_the_parameters_of_path_and_query_are_one(instance):
    wanted = parsed(instance, READS | {"query": {"where": "id = 1", "returnCount": True, "page": 2}})

    assert wanted.uri == "/hubs/crm/contacts"
    assert wanted.query == {"pageSize": "1", "where": "id = 1", "returnCount": "true", "page": "2"}

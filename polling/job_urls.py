"""Paths of jobs, of what is polled, and of what became of it."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from polling import jobs_api, trace_api

urlpatterns: list[URLPattern | URLResolver] = [
    path("jobs", jobs_api.JobsView.as_view()),
    path("jobs/polling-disabled", jobs_api.StoppedJobsView.as_view()),
    path("jobs/<str:job_id>", jobs_api.JobView.as_view()),
    path("instances/polling-disabled", jobs_api.StoppedInstancesView.as_view()),
    path("instances/event-poller-records", jobs_api.PollerRecordsView.as_view()),
    path("instances/trace", trace_api.TraceView.as_view()),
    path("instances/<str:instance_id>/trace", trace_api.TraceView.as_view()),
]

from django.apps import AppConfig


class PollingConfig(AppConfig):
    name = "polling"

    def ready(self) -> None:
        # Here, not at the top: models may only be imported once every app is there.
        from events.signals import polls_wanted
        from instances.signals import instance_configured, instance_deleting
        from polling import cursors, jobs

        instance_configured.connect(cursors.follow, dispatch_uid="polling.cursors.follow")
        instance_configured.connect(jobs.resume, dispatch_uid="polling.jobs.resume")
        instance_deleting.connect(cursors.drop, dispatch_uid="polling.cursors.drop")
        polls_wanted.connect(cursors.hasten, dispatch_uid="polling.cursors.hasten")

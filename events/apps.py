from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events import registration_upkeep, subscriptions
        from instances.signals import instance_configured, instance_deleting

        instance_configured.connect(subscriptions.follow_instance, dispatch_uid="events.follow_instance")
        instance_deleting.connect(subscriptions.forget_instance, dispatch_uid="events.forget_instance")
        instance_configured.connect(registration_upkeep.follow_instance, dispatch_uid="events.registration_follow")
        instance_deleting.connect(registration_upkeep.part_instance, dispatch_uid="events.registration_part")

"""Telling people that a receiver fails, has been given up on, or is back.

A notification goes to whoever in the organization subscribed to its topic, and a mail to the owners when a receiver is
given up on. Transitions are told once: the mark that they were told is one commit with the notification. Mails are
sent after that, and one that cannot be sent harms nothing.
"""

from __future__ import annotations

import logging
import smtplib
import threading
from collections import deque
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now

from events import posting, transitions
from events.models import CircuitTransition, Subscription
from instances.models import User
from instances.serializers import timestamp

logger = logging.getLogger(__name__)

TOPIC = "switchyard.subscription."
"""Followed by the kind of the transition."""
SENDER = "switchyard"
SEVERITIES = {
    transitions.WARNED: posting.MEDIUM,
    transitions.DEACTIVATED: posting.HIGH,
    transitions.REACTIVATED: posting.LOW,
}
_mails: deque[CircuitTransition] = deque()
_mailing = threading.Lock()


def tell() -> int:
    """Tell whatever has not been told. Returns how many transitions."""
    count = 0
    while (transition := _tell_next()) is not None:
        count += 1
        if transition.kind == transitions.DEACTIVATED:
            _mails.append(transition)
    _send_mails()
    return count


def _send_mails() -> None:
    """In one thread of this process at a time: the others poll, and do not wait for a mail server that hangs."""
    while _mails and _mailing.acquire(blocking=False):
        try:
            while _mails:
                _mail_owners(_mails.popleft())
        finally:
            _mailing.release()


def _tell_next() -> CircuitTransition | None:
    with transaction.atomic():
        untold = CircuitTransition.objects.filter(alerted_at=None, kind__in=transitions.TOLD).order_by("pk")
        found = untold.select_for_update(of=("self",), skip_locked=True).select_related("subscription").first()
        if found is not None:
            CircuitTransition.objects.filter(pk=found.pk).update(alerted_at=Now())
            # Else an alert that fails would be alerted to, and that again.
            if not any(topic.startswith(TOPIC) for topic in found.subscription.topics):
                posting.post(
                    organization=found.subscription.organization,
                    topic=TOPIC + found.kind,
                    message=_message(found),
                    severity=SEVERITIES[found.kind],
                    sender=SENDER,
                )
    return found


def _message(transition: CircuitTransition) -> dict[str, object]:
    subscription = transition.subscription
    return {
        "subscriptionId": subscription.pk,
        "instanceId": subscription.instance_id,
        "host": host_of(subscription),
        "kind": transition.kind,
        "reason": transition.reason,
        "happenedDate": timestamp(transition.happened_at),
    }


def host_of(subscription: Subscription) -> str:
    """The rest of a callback URL is somebody's secret."""
    return urlsplit(subscription.url).hostname or ""


def _mail_owners(transition: CircuitTransition) -> None:
    subscription = transition.subscription
    owners = User.objects.filter(organization=subscription.organization_id, role=User.OWNER, is_active=True)
    addresses = sorted(owners.values_list("email", flat=True))
    if not addresses:
        return
    host = host_of(subscription)
    mail = EmailMessage(
        subject=f"Notifications to {host} are no longer sent",
        body=f"Subscription {subscription.pk} to {host} was deactivated at {timestamp(transition.happened_at)}:\n\n"
        f"    {transition.reason}\n\n"
        "Nothing is lost: what was to be sent is queued, and so is what comes. It is sent when the receiver answers "
        "again (one notification is tried now and then, unless the receiver said that it is gone for good), when its "
        "callback URL is changed, or when somebody asks for it:\n\n"
        "    PUT /notifications/subscriptions/deliveries?where=channel='webhook' and status='queued'\n",
        # One mail each: owners need not know of each other's addresses.
        bcc=addresses,
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("mail not sent", extra={"subscription": subscription.pk, "error": type(error).__name__})

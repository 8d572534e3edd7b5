"""The usual way, to compare with: one Celery task per delivery, `requests.post`, the ORM, default settings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from datetime import UTC, datetime

import requests
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("naive")
app.conf.update(
    broker_url=os.environ.get("NAIVE_BROKER_URL", ""),
    task_default_queue="naive",
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)


@app.task
def deliver(delivery_id: int) -> None:
    from events.models import Delivery, DeliveryAttempt
    from instances.encryption import decrypt_json

    delivery = Delivery.objects.select_related("event__instance", "subscription").get(pk=delivery_id)
    body = bytes(delivery.event.body)
    assert delivery.event.instance is not None
    key = decrypt_json(delivery.event.instance.signing_keys_encrypted)[0]
    signature = base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()
    started_at = datetime.now(UTC)
    answer = requests.post(
        delivery.subscription.url,
        data=body,
        headers={"Content-Type": "application/json", "Elements-Webhook-Signature": f"sha256={signature}"},
        timeout=15,
    )
    delivery.state = Delivery.DELIVERED if answer.ok else Delivery.PENDING
    delivery.attempts_made += 1
    delivery.save(update_fields=["state", "attempts_made"])
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts_made,
        started_at=started_at,
        duration_ms=int(answer.elapsed.total_seconds() * 1000),
        status=answer.status_code,
        response_excerpt=answer.text[:2048],
    )

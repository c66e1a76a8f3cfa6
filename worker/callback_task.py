"""The Celery task that sends a call back: a thin shell around `Postman.deliver`."""

from typing import cast

from celery import Celery

from jobs.backend import FencedRedisBackend
from jobs.deliveries import LeasedDeliveryStore
from jobs.delivery import DeliveryEvent
from jobs.message import SEND_WEBHOOK_TASK
from worker.callback_settings import WebhookSettings
from worker.postman import WebhookSender


def register_webhook_task(app: Celery, settings: WebhookSettings) -> None:
    """Give a worker the task.

    Args:
        app: Its Celery app.
        settings: The sender's.
    """
    backend = cast("FencedRedisBackend", app.backend)
    postman = WebhookSender(
        deliveries=LeasedDeliveryStore(backend.client, lease=settings.lease),
        retry_policy=settings.retry_policy,
        url_policy=settings.webhook_url_policy,
        timeout_s=settings.webhook_timeout_s,
        limit_bytes=settings.webhook_limit_bytes,
        signers=settings.signers,
    )

    def send(job_id: str, slot: str) -> None:
        postman.deliver(job_id, DeliveryEvent(slot))

    # Its state is the delivery's, not Celery's.
    app.task(name=SEND_WEBHOOK_TASK, shared=False, ignore_result=True)(send)

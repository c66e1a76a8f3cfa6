"""The Celery task that sends a call back: a thin shell around `Postman.deliver`."""

from typing import cast

from celery import Celery

from jobs.backend import FencedRedisBackend
from jobs.deliveries import Deliveries
from jobs.delivery import Slot
from jobs.message import SEND
from worker.callback_settings import CallbackSettings
from worker.postman import Postman


def register(app: Celery, settings: CallbackSettings) -> None:
    """Give a worker the task.

    Args:
        app: Its Celery app.
        settings: The sender's.
    """
    backend = cast("FencedRedisBackend", app.backend)
    postman = Postman(
        deliveries=Deliveries(backend.client, lease=settings.lease),
        schedule=settings.schedule,
        reach=settings.reach,
        timeout_s=settings.webhook_timeout_s,
        limit_bytes=settings.webhook_limit_bytes,
        signers=settings.signers,
    )

    def send(job_id: str, slot: str) -> None:
        postman.deliver(job_id, Slot(slot))

    # Its state is the delivery's, not Celery's.
    app.task(name=SEND, shared=False, ignore_result=True)(send)

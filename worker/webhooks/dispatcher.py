"""Takes deliveries from the queue and sends them, with threads of the worker's main process.

They are not Celery tasks: a task needs one of the processes that run scrapes, and waits behind a
scrape of many minutes.
"""

import logging
import threading
from contextvars import copy_context
from typing import Any

from celery import Celery, bootsteps
from redis.exceptions import RedisError

from jobs.redis import keys
from jobs.redis.sync_client import connect_with_retries, is_outage
from jobs.store.delivery_inbox import DeliveryInbox, DeliveryKey
from jobs.url_policy import UrlNotAllowedError, parse_url
from worker.webhooks.delivery_lanes import DeliveryLanes, Lane
from worker.webhooks.sender import WebhookSender, make_sender
from worker.webhooks.settings import WebhookSettings

logger = logging.getLogger(__name__)

#: How long the queue is waited for at a time; a stop takes no longer than this.
_TAKE_TIMEOUT_S = 1.0
#: A stored result that is longer has about 1 MB of text, of which several copies are made.
_LARGE_RESULT = 100_000
#: The pause after a failure.
_PAUSE_S = 1.0
#: How long a stop waits for Redis.
_STOP_TIMEOUT_S = 5.0


class WebhookDispatcher:
    """Sends the deliveries in the queue until it is stopped."""

    def __init__(self, inbox: DeliveryInbox, sender: WebhookSender) -> None:
        self._inbox = inbox
        self._sender = sender
        self._lanes = DeliveryLanes()
        #: Guards the lanes; notified when an attempt has ended.
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start to take deliveries, in a thread."""
        self._start_thread("webhook-inbox", self._run)

    def stop(self) -> None:
        """Take no further delivery; another sender makes the attempts that are being made, at once.

        If Redis does not answer, the reconciler finds them later.
        """
        self._stopping.set()
        thread = self._start_thread("webhook-stop", self._hand_over)
        thread.join(_STOP_TIMEOUT_S)

    def _hand_over(self) -> None:
        self._sender.stop()
        with self._changed:
            waiting = list(self._lanes.drain())
        self._inbox.put_back(waiting)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._take()
            except Exception as error:
                # Nobody looks at this thread's end: without it no webhook is sent.
                if not (isinstance(error, RedisError) and is_outage(error)):
                    logger.exception("webhooks cannot be taken from their queue")
                self._stopping.wait(_PAUSE_S)

    def _take(self) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._lanes.has_room, _TAKE_TIMEOUT_S):
                return
        delivery = self._inbox.take(_TAKE_TIMEOUT_S)
        if delivery is None:
            return
        receiver = self._inbox.find_receiver(delivery)
        with self._changed:
            if self._stopping.is_set():
                self._inbox.put_back([delivery])
                return
            lane = Lane(receiver.caller, _find_host(receiver.url))
            self._lanes.add(lane, delivery, is_large=receiver.result_length > _LARGE_RESULT)
            self._start_attempts()

    def _start_attempts(self) -> None:
        while not self._stopping.is_set() and (started := self._lanes.start_next()):
            lane, delivery = started
            try:
                self._start_thread("webhook-attempt", self._deliver, lane, delivery)
            except RuntimeError:
                # Too many threads on this machine. The reconciler queues the delivery again.
                logger.exception("webhook delivery failed unexpectedly")
                self._lanes.finish(lane, timed_out=False)
                return

    def _deliver(self, lane: Lane, delivery: DeliveryKey) -> None:
        timed_out = False
        try:
            timed_out = self._sender.deliver(delivery.job_id, delivery.event) == "timeout"
        except Exception as error:
            # The delivery's lease ends, and the reconciler queues it again.
            if not (isinstance(error, RedisError) and is_outage(error)):
                logger.exception("webhook delivery failed unexpectedly")
        finally:
            with self._changed:
                self._lanes.finish(lane, timed_out=timed_out)
                self._start_attempts()
                self._changed.notify()

    def _start_thread(self, name: str, target: Any, *arguments: object) -> threading.Thread:
        # Its log lines have the worker's name. A thread that hangs must not keep the worker alive.
        thread = threading.Thread(
            target=copy_context().run, args=(target, *arguments), name=name, daemon=True
        )
        thread.start()
        return thread


def _find_host(url: str) -> str:
    try:
        return parse_url(url).host.lower()
    except UrlNotAllowedError:
        return ""


class WebhookStep(bootsteps.StartStopStep):
    """Sends webhooks if this worker consumes their queue (`--queues`)."""

    # The processes of the pool are forked before there are threads.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        queues = parent.app.amqp.queues
        self.enabled = keys.WEBHOOK_QUEUE in queues.consume_from
        queues.deselect(keys.WEBHOOK_QUEUE)

    def create(self, parent: Any) -> Any:
        """Return the dispatcher, which is started and stopped with the worker."""
        return parent.app.conf.garimpo_webhook_dispatcher


def add_webhook_sending(app: Celery, settings: WebhookSettings) -> None:
    """Let the workers of an app send webhooks.

    Args:
        app: The worker's Celery app.
        settings: The sender's settings.
    """
    redis = connect_with_retries(app.conf.garimpo_redis)
    sender = make_sender(redis, settings, app.conf.garimpo_lease_policy.lease)
    app.conf.garimpo_webhook_dispatcher = WebhookDispatcher(DeliveryInbox(redis), sender)
    app.steps["worker"].add(WebhookStep)

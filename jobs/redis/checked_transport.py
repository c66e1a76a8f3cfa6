"""kombu's Redis transport, with a check between Redis and Celery.

kombu and Celery trust what they read: a message that is no JSON, or whose headers are of another
type, ends the worker, which puts some of them back first, so that the next worker dies of the same
message. Here only messages of the form that `jobs.redis.celery_message` writes go on.

The classes are registered for the schemes of REDIS_URL when this module is imported.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as transport
from redis import Redis
from redis.exceptions import RedisError

from jobs.redis import keys
from jobs.redis.message_check import MalformedMessageError, check_message
from jobs.redis.refusals import RefusedKind, refuse

logger = logging.getLogger(__name__)

#: The queues of our tasks. Workers answer questions such as Flower's in other queues.
_CHECKED_QUEUES = frozenset({keys.JOB_QUEUE, keys.PART_QUEUE, keys.WEBHOOK_QUEUE})

#: More than are published in one pipeline.
_MAX_RECEIVERS = 1000

#: Separates a queue's name from a priority in the key of its list.
_PRIORITY_SEPARATOR = b"\x06\x16"


class _CheckedClient(Redis):
    """kombu's client: a reply to BRPOP with a misfit becomes that of a timeout.

    kombu drops the replies to PUBLISH, which are added to the channel's `receivers`.
    """

    def __init__(self, *, channel: Any, **options: Any) -> None:
        super().__init__(**options)
        self._channel = channel
        # Pipelines have the callbacks of their client.
        self.set_response_callback("PUBLISH", self._count_receivers)

    def _count_receivers(self, reply: int) -> int:
        self._channel.receivers.append(reply)
        return reply

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read a reply; return None instead of a message that is refused."""
        read: Callable[..., Any] = super().parse_response
        reply = read(connection, command_name, **options)
        if command_name != "BRPOP" or not reply:
            return reply
        key, message = reply
        queue = key.partition(_PRIORITY_SEPARATOR)[0].decode()
        if queue not in _CHECKED_QUEUES:
            return reply
        try:
            check_message(message, queue)
        except MalformedMessageError as error:
            # Over another connection: this one belongs to kombu's poller.
            with self._channel.conn_or_acquire() as redis:
                refuse(redis, RefusedKind.MESSAGE, queue, message, str(error))
            return None
        return reply


class _CheckedQoS(transport.QoS):
    """Refuses entries among the unacknowledged messages that cannot be put back."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Put a message back into its queue."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, RecursionError):
            with self.channel.conn_or_acquire(client) as redis:  # type: ignore[attr-defined]
                content = redis.hget(self.unacked_key, tag) or b""
                self._remove_from_indices(tag).execute()  # type: ignore[attr-defined] # not in its stubs
                reason = "not a message as kombu stores it"
                refuse(redis, RefusedKind.UNACKED, self.unacked_key, content, reason)


class _Checks:
    """What a channel passes: well-formed messages only, and no job into the queue twice."""

    QoS: Any = _CheckedQoS

    def __init__(self, *args: Any, **options: Any) -> None:
        #: The numbers of programs that have received what was last published.
        self.receivers: deque[int] = deque(maxlen=_MAX_RECEIVERS)
        super().__init__(*args, **options)

    def _do_restore_message(
        self,
        payload: Any,
        exchange: Any,
        routing_key: Any,
        pipe: Any,
        leftmost: bool = False,  # noqa: FBT001, FBT002 - kombu's signature
    ) -> None:
        if not _restore_job(self, payload, routing_key, pipe):
            super()._do_restore_message(payload, exchange, routing_key, pipe, leftmost)  # type: ignore[misc] # kombu's channel

    def _get_client(self) -> Callable[..., Redis]:
        return partial(_CheckedClient, channel=self)

    def _receive_one(self, c: Any) -> Any:
        return _receive_checked(super()._receive_one, c)  # type: ignore[misc] # kombu's channel


class _CheckedChannel(_Checks, transport.Channel):
    """A channel with these checks."""


class _CheckedSentinelChannel(_Checks, transport.SentinelChannel):
    """The same behind Sentinel."""


def _restore_job(channel: Any, payload: Any, routing_key: Any, pipe: Any) -> bool:
    """Put a job's message back as the next one, unless the queue has it already.

    A worker that stops releases its job, which queues it, and only then puts back what it has not
    acknowledged. kombu changes a message that it puts back, so that the scripts would not find it;
    here the record's own text is pushed.

    Args:
        channel: kombu's channel.
        payload: The message that was not acknowledged.
        routing_key: Its queue.
        pipe: The transaction that removes it from the unacknowledged ones.

    Returns:
        False if this is no job's message, or no record has its text.
    """
    if routing_key != keys.JOB_QUEUE:
        return False
    job_id = str(payload["headers"]["id"])
    with channel.conn_or_acquire() as redis:
        envelope = redis.hget(keys.record(job_id), "envelope")
        if envelope is None:
            return False
        is_queued = redis.lpos(keys.JOB_QUEUE, envelope, rank=-1) is not None
    if not is_queued:
        pipe.rpush(keys.JOB_QUEUE, envelope)
    return True


def _receive_checked(receive: Callable[[Any], Any], client: Any) -> Any:
    """Receive a remote-control command or an event; ignore what cannot be handled.

    They are published and not stored, so nothing is lost but what this worker could not read.
    """
    try:
        return receive(client)
    except (Empty, RedisError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a foreign message causes
        logger.error("ignored a malformed broadcast: %s", type(error).__name__)  # noqa: TRY400 - its text is foreign
        return None


class CheckedTransport(transport.Transport):
    """The transport for `redis://` and `rediss://`."""

    Channel = _CheckedChannel


class CheckedSentinelTransport(transport.SentinelTransport):
    """The transport for `sentinel://`."""

    Channel = _CheckedSentinelChannel


# By scheme: a `broker_transport` setting would not survive kombu's move to the next Sentinel.
TRANSPORT_ALIASES.update(
    redis=f"{__name__}:CheckedTransport",
    rediss=f"{__name__}:CheckedTransport",
    sentinel=f"{__name__}:CheckedSentinelTransport",
)

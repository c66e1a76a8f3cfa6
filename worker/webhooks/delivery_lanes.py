"""Which of the waiting deliveries is sent next, so that no receiver delays those of others."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.store.delivery_inbox import DeliveryKey


@dataclass(frozen=True)
class LaneLimits:
    """How much one sender does at a time."""

    #: Attempts at the same time: of all callers, of one caller, and to receivers that have timed
    #: out.
    running: int = 32
    running_per_caller: int = 16
    running_slow: int = 8
    running_slow_per_caller: int = 4
    #: Of them, attempts with large results, which fill memory: of all callers, and of one.
    running_large: int = 4
    running_large_per_caller: int = 2
    #: Deliveries that wait in this process: of all callers, of one caller, and of one lane.
    waiting: int = 5000
    waiting_per_caller: int = 2000
    waiting_per_lane: int = 1000


@dataclass(frozen=True)
class Lane:
    """The deliveries of one caller to one host; they are sent one after another."""

    caller: str
    host: str


@dataclass
class DeliveryLanes:
    """The waiting and running deliveries of this process. Not thread-safe."""

    limits: LaneLimits = field(default_factory=LaneLimits)
    #: By lane; the lane that was served last is at the end.
    _waiting: OrderedDict[Lane, deque[DeliveryKey]] = field(default_factory=OrderedDict)
    _running: dict[Lane, DeliveryKey] = field(default_factory=dict)
    #: Lanes whose last attempt timed out, the oldest first.
    _slow: OrderedDict[Lane, None] = field(default_factory=OrderedDict)
    _known: set[DeliveryKey] = field(default_factory=set)
    #: Those of them that have large results.
    _large: set[DeliveryKey] = field(default_factory=set)

    @property
    def has_room(self) -> bool:
        """Whether another delivery may be taken from the queue."""
        return len(self._known) < self.limits.waiting

    def add(self, lane: Lane, delivery: DeliveryKey, *, is_large: bool = False) -> bool:
        """Let a delivery wait for its turn.

        Args:
            lane: Its lane.
            delivery: The delivery.
            is_large: Whether its result is so large that only a few fit into memory.

        Returns:
            False if it waits already, or if too many of its lane or caller do: the reconciler
            queues it again later.
        """
        waiting = self._waiting.get(lane, ())
        of_caller = sum(
            len(others) for other, others in self._waiting.items() if other.caller == lane.caller
        )
        if (
            delivery in self._known
            or len(waiting) >= self.limits.waiting_per_lane
            or of_caller >= self.limits.waiting_per_caller
        ):
            return False
        self._known.add(delivery)
        if is_large:
            self._large.add(delivery)
        self._waiting.setdefault(lane, deque()).append(delivery)
        return True

    def start_next(self) -> tuple[Lane, DeliveryKey] | None:
        """Return the delivery to send now, as running; None if none may be sent."""
        if len(self._running) >= self.limits.running:
            return None
        limits = self.limits
        callers = Counter(lane.caller for lane in self._running)
        slow = Counter(lane.caller for lane in self._running if lane in self._slow)
        large = Counter(
            lane.caller for lane, delivery in self._running.items() if delivery in self._large
        )
        for lane, waiting in self._waiting.items():
            must_wait = (
                lane in self._running
                or callers[lane.caller] >= limits.running_per_caller
                or (
                    lane in self._slow
                    and (
                        slow.total() >= limits.running_slow
                        or slow[lane.caller] >= limits.running_slow_per_caller
                    )
                )
            )
            if not must_wait and waiting[0] in self._large:
                must_wait = (
                    large.total() >= limits.running_large
                    or large[lane.caller] >= limits.running_large_per_caller
                )
            if not must_wait:
                return lane, self._start(lane)
        return None

    def _start(self, lane: Lane) -> DeliveryKey:
        waiting = self._waiting[lane]
        delivery = waiting.popleft()
        self._running[lane] = delivery
        self._waiting.move_to_end(lane)
        if not waiting:
            del self._waiting[lane]
        return delivery

    def finish(self, lane: Lane, *, timed_out: bool) -> None:
        """End the running delivery of a lane.

        Args:
            lane: The lane.
            timed_out: Whether its receiver did not answer in time.
        """
        delivery = self._running.pop(lane)
        self._known.discard(delivery)
        self._large.discard(delivery)
        self._slow.pop(lane, None)
        if timed_out:
            self._slow[lane] = None
            if len(self._slow) > self.limits.waiting:
                self._slow.popitem(last=False)

    def drain(self) -> Iterator[DeliveryKey]:
        """Remove the deliveries that wait, and return them."""
        for waiting in self._waiting.values():
            self._known.difference_update(waiting)
            self._large.difference_update(waiting)
            yield from waiting
        self._waiting.clear()

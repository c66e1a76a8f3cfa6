"""The order in which waiting deliveries are sent."""

from uuid import uuid4

from jobs.model.delivery import DeliveryEvent
from jobs.store.delivery_inbox import DeliveryKey
from worker.webhooks.delivery_lanes import DeliveryLanes, Lane, LaneLimits

LIMITS = LaneLimits(running=4, running_per_caller=2, running_slow=1, waiting=10, waiting_per_lane=3)


def make_delivery() -> DeliveryKey:
    return DeliveryKey(str(uuid4()), DeliveryEvent.END)


def start_all(lanes: DeliveryLanes) -> list[Lane]:
    """Start as many deliveries as possible; return their lanes."""
    started = []
    while following := lanes.start_next():
        started.append(following[0])
    return started


class TestDeliveryLanes:
    def test_sends_one_at_a_time_to_a_host_in_order(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        lane, first, second = Lane("a", "host"), make_delivery(), make_delivery()
        lanes.add(lane, first)
        lanes.add(lane, second)

        assert lanes.start_next() == (lane, first)
        assert lanes.start_next() is None
        lanes.finish(lane, timed_out=False)
        assert lanes.start_next() == (lane, second)

    def test_leaves_room_for_other_callers(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        for number in range(8):
            lanes.add(Lane("a", f"host-{number}"), make_delivery())
        assert len(start_all(lanes)) == LIMITS.running_per_caller

        other = Lane("b", "host-0")
        lanes.add(other, make_delivery())

        assert start_all(lanes) == [other]

    def test_leaves_room_for_receivers_that_have_not_timed_out(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        slow = [Lane(caller, "slow") for caller in "abc"]
        for lane in slow:
            lanes.add(lane, make_delivery())
            lanes.start_next()
            lanes.finish(lane, timed_out=True)
        for lane in slow:
            lanes.add(lane, make_delivery())
        other = Lane("d", "host")
        lanes.add(other, make_delivery())

        assert start_all(lanes) == [slow[0], other]

    def test_treats_a_receiver_that_answers_again_as_others(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        slow = [Lane(caller, "slow") for caller in "ab"]
        for timed_out in (True, False):
            for lane in slow:
                lanes.add(lane, make_delivery())
                lanes.start_next()
                lanes.finish(lane, timed_out=timed_out)
        for lane in slow:
            lanes.add(lane, make_delivery())

        assert start_all(lanes) == slow

    def test_sends_few_large_results_at_a_time(self) -> None:
        lanes = DeliveryLanes(LaneLimits(running_large=3, running_large_per_caller=2))
        large = [Lane("a", f"large-{number}") for number in range(3)]
        for lane in large:
            lanes.add(lane, make_delivery(), is_large=True)
        others = [Lane("a", "small"), Lane("b", "large")]
        lanes.add(others[0], make_delivery())
        lanes.add(others[1], make_delivery(), is_large=True)

        assert start_all(lanes) == [*large[:2], *others]
        lanes.finish(large[0], timed_out=False)
        assert start_all(lanes) == [large[2]]

    def test_serves_lanes_in_turn(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        busy, other = Lane("a", "busy"), Lane("a", "other")
        for _ in range(3):
            lanes.add(busy, make_delivery())
        lanes.start_next()
        lanes.add(other, make_delivery())
        lanes.finish(busy, timed_out=False)

        assert set(start_all(lanes)) == {busy, other}

    def test_takes_a_delivery_once_and_a_bounded_number(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        lane, delivery = Lane("a", "host"), make_delivery()

        assert lanes.add(lane, delivery)
        assert not lanes.add(lane, delivery)
        assert [lanes.add(lane, make_delivery()) for _ in range(3)] == [True, True, False]

        for number in range(7):
            assert lanes.has_room
            lanes.add(Lane("a", f"host-{number}"), make_delivery())
        assert not lanes.has_room
        lanes.start_next()
        lanes.finish(lane, timed_out=False)
        assert lanes.has_room

    def test_returns_what_waits(self) -> None:
        lanes = DeliveryLanes(LIMITS)
        running, waiting = make_delivery(), make_delivery()
        for delivery in (running, waiting):
            lanes.add(Lane("a", "host"), delivery)
        lanes.start_next()

        assert list(lanes.drain()) == [waiting]
        assert lanes.start_next() is None

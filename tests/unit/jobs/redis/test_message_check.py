"""Only messages that Garimpo writes pass."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.redis import celery_message, keys
from jobs.redis.message_check import MalformedMessageError, check_message, find_job_id
from tests.support.foreign_messages import foreign_messages

ID = "550e8400-e29b-41d4-a716-446655440000"
JOB = celery_message.encode_job("tubehunt.scrape-channels", ID)
DELIVERY = celery_message.encode_delivery(ID, "end")
PART = celery_message.encode_part(ID)
QUEUES = {keys.JOB_QUEUE: JOB, keys.PART_QUEUE: PART, keys.WEBHOOK_QUEUE: DELIVERY}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def check_any(message: bytes, queue: str) -> str | None:
    """Return the id, or None for a refused message; any other exception fails the test."""
    try:
        return check_message(message, queue)
    except MalformedMessageError:
        return None


class TestCheckMessage:
    @pytest.mark.parametrize(("queue", "message"), QUEUES.items(), ids=QUEUES)
    def test_accepts_our_own(self, queue: str, message: str) -> None:
        assert check_message(message.encode(), queue) == ID

    @pytest.mark.parametrize(("queue", "message"), QUEUES.items(), ids=QUEUES)
    def test_accepts_one_that_kombu_has_put_back(self, queue: str, message: str) -> None:
        decoded = json.loads(message)
        decoded["headers"]["redelivered"] = True
        decoded["properties"]["delivery_info"]["redelivered"] = True

        assert check_message(json.dumps(decoded).encode(), queue) == ID

    @pytest.mark.parametrize("queue", QUEUES)
    def test_refuses_every_other(self, queue: str) -> None:
        accepted = [name for name, message in foreign_messages(queue) if check_any(message, queue)]

        assert accepted == []

    def test_refuses_messages_of_the_other_queue(self) -> None:
        assert check_any(JOB.encode(), keys.WEBHOOK_QUEUE) is None
        assert check_any(DELIVERY.encode(), keys.JOB_QUEUE) is None
        assert check_any(PART.encode(), keys.JOB_QUEUE) is None
        assert check_any(JOB.encode(), keys.PART_QUEUE) is None

    @given(message=st.binary())
    def test_raises_nothing_else_for_bytes(self, message: bytes) -> None:
        assert check_any(message, keys.JOB_QUEUE) is None

    @given(message=JSON)
    def test_raises_nothing_else_for_json(self, message: object) -> None:
        assert check_any(json.dumps(message).encode(), keys.JOB_QUEUE) is None

    @given(part=st.sampled_from(["", "headers", "properties"]), choice=st.integers(0), value=JSON)
    def test_raises_nothing_else_for_a_changed_field(
        self, part: str, choice: int, value: object
    ) -> None:
        message: dict[str, Any] = json.loads(JOB)
        fields = message[part] if part else message
        name = sorted(fields)[choice % len(fields)]
        fields[name] = value

        assert check_any(json.dumps(message).encode(), keys.JOB_QUEUE) in {ID, None}


class TestFindJobId:
    @pytest.mark.parametrize(
        ("message", "job_id"), [(JOB, ID), ("garbage", None), ("\ud800", None)]
    )
    def test_returns_none_for_a_foreign_message(self, message: str, job_id: str | None) -> None:
        assert find_job_id(message) == job_id

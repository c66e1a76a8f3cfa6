"""Polling of a condition with a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, within_s: float = 90) -> T:
    """Return the result of the condition as soon as it is true."""
    deadline = time.monotonic() + within_s
    never = threading.Event()
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not true within {within_s} s: {condition}"
        never.wait(0.05)
    return result

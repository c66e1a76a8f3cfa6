"""Waits of tests: on a condition, with a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, within_s: float = 90) -> T:
    """Return what the condition gives, once that is true."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {condition}"
        pause.wait(0.05)
    return found

"""Call a function when the server receives a shutdown signal (SIGTERM, Ctrl-C)."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_shutdown_signal(callback: Callable[[], None]) -> Iterator[None]:
    """Call a function in the event loop on SIGTERM and SIGINT, in addition to their handlers.

    uvicorn leaves the lifespan only after the last request, and a stream of events ends only if it
    learns of the shutdown.

    Args:
        callback: The function.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # the server runs inside another program, which handles the signals
        return
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

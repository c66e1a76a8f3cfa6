"""Run a hook when the server is asked to stop."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_shutdown_signal(do: Callable[[], None]) -> Iterator[None]:
    """Call something in the event loop at SIGTERM and at Ctrl-C, besides what happens then anyway.

    uvicorn ends the lifespan after the last request, and a stream of events has no end of its own.

    Args:
        do: What to call.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a server within another program: signals are not its own
        return
    loop = asyncio.get_running_loop()
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(do)
        handler = usual[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)

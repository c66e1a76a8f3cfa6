"""A program that ends its stack in order, whatever asks it to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn SIGTERM and a closed terminal into SystemExit, as Ctrl-C is KeyboardInterrupt.

    So `with` blocks and `finally` do their work. Exits with 128 + the signal's number.
    """
    signals = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it stays ignored
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, _exit) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

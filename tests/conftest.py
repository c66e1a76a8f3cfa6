"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Take no ignored signals from whoever runs the tests.

    A shell that runs them in the background has SIGINT ignored, `nohup` SIGHUP, and so would every
    process that they start and stop by these.
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)

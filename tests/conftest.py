"""Signal handlers for all tests, and the profile of those with generated values."""

import signal

from hypothesis import HealthCheck, settings

# How long an example takes depends on the machine.
settings.register_profile("garimpo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("garimpo")


def pytest_configure() -> None:
    """Restore the default handlers of signals that pytest's parent process ignores.

    A shell ignores SIGINT in background jobs, and `nohup` ignores SIGHUP. All processes that the
    tests start would inherit that, and the tests could not stop them with these signals.
    """
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)

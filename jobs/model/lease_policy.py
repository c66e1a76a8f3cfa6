"""Lease and heartbeat timing."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LeasePolicy:
    """The times of leases: settings for operators, short values in tests."""

    #: A worker that has not renewed its lease for this time has lost its job.
    lease: timedelta = timedelta(seconds=15)
    #: The interval of renewals: two of them may get lost.
    heartbeat_interval: timedelta = timedelta(seconds=4)
    #: The interval at which due jobs are checked.
    reconcile_interval: timedelta = timedelta(seconds=2)
    #: A job that has crashed this number of workers is not run again.
    max_crashes: int = 3
    #: A job that has waited for this time is given up; zero for no limit.
    queue_ttl: timedelta = timedelta(0)

    @property
    def max_check_interval(self) -> timedelta:
        """The longest interval between two checks for a waiting job's message."""
        return 20 * self.lease


def ms(duration: timedelta) -> int:
    """Return a duration in whole milliseconds, as Redis expects it."""
    return int(duration / timedelta(milliseconds=1))

"""Lease and heartbeat timing."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LeasePolicy:
    """The times of leases; ops have them as settings, tests set them short."""

    #: A worker that has said nothing for so long has lost its job.
    lease: timedelta = timedelta(seconds=15)
    #: How often a worker says that it still has its job: two words may get lost.
    heartbeat_interval: timedelta = timedelta(seconds=4)
    #: How often jobs that are due are looked at.
    reconcile_interval: timedelta = timedelta(seconds=2)
    #: A job that has killed so many workers is not run again.
    max_crashes: int = 3
    #: A job that has waited for so long is given up; zero is never.
    queue_ttl: timedelta = timedelta(0)

    @property
    def max_check_interval(self) -> timedelta:
        """The longest pause between two looks for a waiting job's message."""
        return 20 * self.lease


def ms(duration: timedelta) -> int:
    """Return a duration as Redis takes it, in ms."""
    return int(duration / timedelta(milliseconds=1))

"""The four states of a job, as its callers see them."""

from enum import StrEnum


class JobState(StrEnum):
    """A job's state; it only goes forward, in the order of this list."""

    #: Accepted and waiting for a worker.
    PENDING = "pending"
    #: A worker has it.
    PROCESSING = "processing"
    #: It ended with a result.
    COMPLETED = "completed"
    #: It ended without one; the failure says why.
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in {JobState.COMPLETED, JobState.FAILED}

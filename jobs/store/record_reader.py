"""Decode records, where one that cannot be read must not fail what is about other jobs."""

import logging
from collections.abc import Mapping
from functools import lru_cache

from jobs.model.record import JobRecord, UnreadableRecordError

logger = logging.getLogger(__name__)


def decode_record(job_id: str, fields: Mapping[str, str] | None) -> JobRecord | None:
    """Return a record; None, and a line in the log, if it cannot be decoded.

    Args:
        job_id: The job's id.
        fields: The fields and values; None if the key has a value of another type.
    """
    if fields is None:
        log_unreadable_record(job_id, "a value of another type")
        return None
    try:
        return JobRecord.decode(job_id, fields)
    except UnreadableRecordError as error:
        log_unreadable_record(job_id, repr(error.__cause__))
        return None


@lru_cache(maxsize=10_000)
def log_unreadable_record(job_id: str, reason: str) -> None:
    """Log a record that cannot be read: once in each process, however often it is looked at."""
    fields = {"job_id": job_id[:100], "error": reason[:200]}
    logger.error("a job's record cannot be decoded", extra=fields)

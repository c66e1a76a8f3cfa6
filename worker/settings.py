"""Settings of workers."""

from pathlib import Path

from pydantic import Field, SecretStr

from environment.settings import EnvironmentSettings


class WorkerSettings(EnvironmentSettings):
    """Settings of the worker's process."""

    #: The time beyond its recipe's limit after which Celery kills the process of a job.
    time_limit_margin_s: int = Field(default=60, ge=1)
    #: How many browsers each process keeps ready between jobs: 0; 1: that of the account of its
    #: last job; 2: also one that has never been used, for any other.
    warm_browsers: int = Field(default=2, ge=0, le=2)
    #: A file that is touched every few seconds while the worker is alive and connected to Redis.
    alive_file: Path | None = None
    #: Fernet keys that encrypt the sessions of accounts in Redis, separated by commas: the first
    #: encrypts, all decrypt. Without one, each worker keeps its own sessions, in memory.
    session_keys: SecretStr = SecretStr("")

"""Settings of workers."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Settings from the environment and `.env`; the environment wins."""

    # An empty variable counts as unset: Compose files set them so.
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    #: The time beyond its recipe's limit after which Celery kills the process of a job.
    time_limit_margin_s: int = Field(default=60, ge=1)
    #: A file that is touched every few seconds while the worker is alive and connected to Redis.
    alive_file: Path | None = None

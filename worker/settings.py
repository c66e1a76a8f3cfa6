"""What only workers have to be told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Read from the environment, then from `.env`; the environment wins."""

    # A variable that is set to nothing, as compose files do it, counts as not set.
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    #: What a job may take beyond its recipe's limit until Celery kills the process that runs it.
    time_limit_margin_s: int = Field(default=60, ge=1)
    #: Touched every few seconds while the worker is alive and has its Redis; none by default.
    alive_file: Path | None = None

"""Where the jobs live: the settings that every program with a queue shares."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class JobSettings(BaseSettings):
    """Read from the environment, then from `.env`; the environment wins."""

    # A variable that is set to nothing, as compose files do it, counts as not set.
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    redis_url: str = "redis://127.0.0.1:6379/0"
    #: How long a result can be read after the job's end.
    result_ttl_s: int = Field(default=86_400, ge=1)

    @property
    def result_ttl(self) -> timedelta:
        """The same as a duration."""
        return timedelta(seconds=self.result_ttl_s)

"""Settings that every program with a queue shares."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.log_config import LogFormat, LogLevel
from jobs.model.lease_policy import LeasePolicy
from jobs.url_policy import WebhookUrlPolicy


class JobSettings(BaseSettings):
    """Read from the environment, then from `.env`; the environment wins."""

    model_config = SettingsConfigDict(
        env_file=".env",
        # A variable that is set to nothing, as compose files do it, counts as not set.
        env_ignore_empty=True,
        extra="ignore",
        # What is wrong with one of them would be told with all of them, Redis' password too.
        hide_input_in_errors=True,
    )

    redis_url: str = "redis://127.0.0.1:6379/0"
    #: How long a result can be read after the job's end.
    result_ttl_s: int = Field(default=86_400, ge=1)

    #: How long a worker may be silent until its job goes to another.
    lease_s: float = Field(default=15, gt=0)
    #: How often a worker says that it still has its job; at most half of the lease.
    heartbeat_s: float = Field(default=4, gt=0)
    #: How often jobs that got lost are looked for.
    reconcile_every_s: float = Field(default=2, gt=0)
    #: A job that has killed so many workers ends as `worker_lost`.
    max_crashes: int = Field(default=3, ge=1)
    #: A job that has waited for so long ends as `queue_expired`; 0 is never.
    queue_ttl_s: float = Field(default=0, ge=0)

    #: How log lines look.
    log_format: LogFormat = "auto"
    #: The least that is worth a line.
    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"

    @model_validator(mode="after")
    def _check_lease_policy(self) -> Self:
        if 2 * self.heartbeat_s > self.lease_s:
            message = "HEARTBEAT_S must be at most half of LEASE_S: one lost word must cost nothing"
            raise ValueError(message)
        return self

    @property
    def lease_policy(self) -> LeasePolicy:
        """The times of leases as plain values."""
        return LeasePolicy(
            lease=timedelta(seconds=self.lease_s),
            heartbeat_interval=timedelta(seconds=self.heartbeat_s),
            reconcile_interval=timedelta(seconds=self.reconcile_every_s),
            max_crashes=self.max_crashes,
            queue_ttl=timedelta(seconds=self.queue_ttl_s),
        )

    @property
    def result_ttl(self) -> timedelta:
        """The same as a duration."""
        return timedelta(seconds=self.result_ttl_s)


class WebhookPolicySettings(BaseSettings):
    """Read from the environment, then from `.env`; the environment wins."""

    # A variable that is set to nothing, as compose files do it, counts as not set.
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    #: Hosts, host:port and networks on private addresses that call backs may go to.
    webhook_allow: str = ""

    @field_validator("webhook_allow")
    @classmethod
    def _check_webhook_allow(cls, text: str) -> str:
        WebhookUrlPolicy.parse(text)
        return text

    @property
    def webhook_url_policy(self) -> WebhookUrlPolicy:
        """The same, read."""
        return WebhookUrlPolicy.parse(self.webhook_allow)

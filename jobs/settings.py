"""Settings shared by the API, the workers and Flower."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from environment.settings import EnvironmentSettings
from jobs.log_config import LogFormat, LogLevel
from jobs.model.lease_policy import LeasePolicy
from jobs.url_policy import WebhookUrlPolicy

#: The defaults of lease times.
_LEASES = LeasePolicy()


class FlowerSettings(EnvironmentSettings):
    """Settings that Flower reads from its environment, for a check before it starts."""

    #: Its login as `user:password`.
    flower_basic_auth: SecretStr = SecretStr("")

    @property
    def has_example_password(self) -> bool:
        """Whether the login is still that of `deploy/kubernetes/secrets.example.yaml`."""
        return "CHANGE-ME" in self.flower_basic_auth.get_secret_value()


class JobSettings(EnvironmentSettings):
    """Settings of Redis, leases and logs."""

    #: It may contain a password.
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    #: How long a result can be read after the end of its job.
    result_ttl_s: int = Field(default=86_400, ge=1)

    #: A worker that has not renewed its lease for this time loses its job to another.
    lease_s: float = Field(default=_LEASES.lease.seconds, gt=0)
    #: The interval at which workers renew their leases; at most half of the lease.
    heartbeat_s: float = Field(default=_LEASES.heartbeat_interval.seconds, gt=0)
    #: The interval at which lost jobs are recovered.
    reconcile_every_s: float = Field(default=_LEASES.reconcile_interval.seconds, gt=0)
    #: A job that has crashed this number of workers ends as `worker_lost`.
    max_crashes: int = Field(default=_LEASES.max_crashes, ge=1)
    #: A job that has waited for this time ends as `queue_expired`; 0 for no limit.
    queue_ttl_s: float = Field(default=0, ge=0)

    #: The format of log lines.
    log_format: LogFormat = "auto"
    #: The lowest level that is logged.
    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"

    @model_validator(mode="after")
    def _check_lease_policy(self) -> Self:
        if 2 * self.heartbeat_s > self.lease_s:
            message = "HEARTBEAT_S must be at most half of LEASE_S, so that one renewal may fail"
            raise ValueError(message)
        return self

    @property
    def lease_policy(self) -> LeasePolicy:
        """Lease and heartbeat times as plain values."""
        return LeasePolicy(
            lease=timedelta(seconds=self.lease_s),
            heartbeat_interval=timedelta(seconds=self.heartbeat_s),
            reconcile_interval=timedelta(seconds=self.reconcile_every_s),
            max_crashes=self.max_crashes,
            queue_ttl=timedelta(seconds=self.queue_ttl_s),
        )

    @property
    def result_ttl(self) -> timedelta:
        """RESULT_TTL_S as a duration."""
        return timedelta(seconds=self.result_ttl_s)


class WebhookPolicySettings(EnvironmentSettings):
    """Where webhooks may go."""

    #: Private hosts, host:port and networks that webhooks may call, separated by commas.
    webhook_allow: str = ""

    @field_validator("webhook_allow")
    @classmethod
    def _check_webhook_allow(cls, text: str) -> str:
        WebhookUrlPolicy.parse(text)
        return text

    @property
    def webhook_url_policy(self) -> WebhookUrlPolicy:
        """WEBHOOK_ALLOW, parsed."""
        return WebhookUrlPolicy.parse(self.webhook_allow)

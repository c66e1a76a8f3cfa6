"""Settings of the webhook sender."""

import base64
from datetime import timedelta

from pydantic import Field, SecretStr, field_validator
from standardwebhooks import Webhook as Signer

from jobs.settings import WebhookPolicySettings
from worker.webhooks.retry_policy import RetryPolicy


class WebhookSettings(WebhookPolicySettings):
    """How webhooks are signed and sent."""

    #: `whsec_…`, separated by commas: each one signs, so that receivers can rotate them.
    webhook_secrets: SecretStr = SecretStr("")
    #: The time limit of one attempt.
    webhook_timeout_s: float = Field(default=20, gt=0, le=30)
    #: The delay of the first retry; later delays are multiples of it.
    webhook_retry_first_s: float = Field(default=1, gt=0)
    #: A webhook that is not delivered within this time is given up.
    webhook_retry_for_s: float = Field(default=86_400, ge=0, le=86_400)
    #: A larger payload is replaced by a thin one.
    webhook_limit_bytes: int = Field(default=10_000_000, ge=1)

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, secrets: SecretStr) -> SecretStr:
        try:
            _parse_signers(secrets)
        except (ValueError, RuntimeError):
            message = "WEBHOOK_SECRETS: each must be whsec_ and base64 of 24 to 64 bytes"
            raise ValueError(message) from None
        return secrets

    @property
    def signers(self) -> tuple[Signer, ...]:
        """A signer for each secret."""
        return _parse_signers(self.webhook_secrets)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The retry policy."""
        return RetryPolicy(
            first_delay=timedelta(seconds=self.webhook_retry_first_s),
            max_age=timedelta(seconds=self.webhook_retry_for_s),
        )

    @property
    def lease(self) -> timedelta:
        """The lease of a delivery: longer than an attempt and its record in Redis."""
        return timedelta(seconds=self.webhook_timeout_s + 10)


def _parse_signers(secrets: SecretStr) -> tuple[Signer, ...]:
    texts = (part.strip() for part in secrets.get_secret_value().split(","))
    return tuple(_parse_signer(text) for text in texts if text)


def _parse_signer(secret: str) -> Signer:
    text = secret.removeprefix("whsec_").rstrip("=")
    key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:  # noqa: PLR2004 - the standard's
        raise ValueError
    return Signer(secret)

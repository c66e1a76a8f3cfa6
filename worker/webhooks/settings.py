"""Settings of the webhook sender."""

import base64
from datetime import timedelta

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from standardwebhooks import Webhook as Signer

from jobs.settings import WebhookPolicySettings
from worker.webhooks.retry_policy import RetryPolicy


class WebhookSettings(WebhookPolicySettings):
    """Read from the environment, then from `.env`; the environment wins."""

    # A start that fails says why, and must not say the secret.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    #: `whsec_…`, with commas between them: each signs, so that receivers can change over.
    webhook_secrets: SecretStr = SecretStr("")
    #: What one try may take in all.
    webhook_timeout_s: float = Field(default=20, gt=0, le=30)
    #: From a failed try to the next; the later pauses grow from this one.
    webhook_retry_first_s: float = Field(default=1, gt=0)
    #: A call back that has not arrived after so long is given up.
    webhook_retry_for_s: float = Field(default=86_400, ge=0, le=86_400)
    #: A body that is larger becomes thin.
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
        """One for each secret."""
        return _parse_signers(self.webhook_secrets)

    @property
    def retry_policy(self) -> RetryPolicy:
        """When to try again."""
        return RetryPolicy(
            first_delay=timedelta(seconds=self.webhook_retry_first_s),
            max_age=timedelta(seconds=self.webhook_retry_for_s),
        )

    @property
    def lease(self) -> timedelta:
        """For how long a sender has what it sends: longer than a try, and its words to Redis."""
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

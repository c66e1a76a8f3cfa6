"""WEBHOOK_ALLOW: the API looks at it when a job is started, the sender when it connects."""

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.reach import WebhookUrlPolicy


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

"""Settings of the API."""

from pathlib import Path

from pydantic import Field

from jobs.settings import JobSettings, WebhookPolicySettings


class ApiSettings(JobSettings, WebhookPolicySettings):
    """Read from the environment, then from `.env`; the environment wins."""

    #: Folder with recipes in addition to the bundled ones; workers need the same folder.
    recipes_dir: Path | None = None
    #: Largest body of a start request, in bytes: parameters are few and short.
    body_limit_bytes: int = Field(default=65_536, ge=1)

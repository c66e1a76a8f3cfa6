"""What the API reads from the environment."""

from pathlib import Path

from pydantic import Field

from jobs.settings import JobSettings, WebhookPolicySettings


class ApiSettings(JobSettings, WebhookPolicySettings):
    """Read from the environment, then from `.env`; the environment wins."""

    #: A folder of recipes besides the bundled ones; the workers need the same.
    recipes_dir: Path | None = None
    #: The largest body that a start may have: parameters are few and short.
    body_limit_bytes: int = Field(default=65_536, ge=1)

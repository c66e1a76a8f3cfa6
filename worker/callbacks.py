"""Former module path of `worker.webhooks.app`; kept for one release for existing deployments."""

from worker.webhooks.app import app

__all__ = ["app"]

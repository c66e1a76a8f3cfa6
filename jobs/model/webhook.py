"""Who is told of a job, and how: what a start asks for with `webhook_url` and its companions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.model.i18n import Language


class WebhookPayload(StrEnum):
    """How much a call back brings."""

    #: The body that the result endpoint gives.
    FULL = "full"
    #: Which job, its state, and where to get the rest.
    THIN = "thin"


class WebhookEvent(StrEnum):
    """What of a job can be told besides its end."""

    STARTED = "job.started"
    PROGRESS = "job.progress"


@dataclass(frozen=True)
class WebhookSubscription:
    """What the record keeps of it, as JSON; `lua_scripts/prelude.lua` reads `events` and `payload`."""

    #: As it was given, byte for byte. Its query string may be a secret.
    url: str
    payload: WebhookPayload = WebhookPayload.FULL
    #: What is told besides the end.
    events: Sequence[WebhookEvent] = ()
    #: Of the sentences in it: that of the start.
    language: Language = Language.PT
    #: Where the API is, as whoever started the job sees it; for links.
    api_url: str = ""

    @property
    def identity(self) -> list[object]:
        """What tells this one from others; a repeated start may come in another language."""
        return [self.url, self.payload, sorted(self.events)]

    def encode(self) -> str:
        """Return it as the record keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "WebhookSubscription":
        """Read what `encode` wrote."""
        data = json.loads(text)
        return cls(
            url=data["url"],
            payload=WebhookPayload(data["payload"]),
            events=tuple(WebhookEvent(event) for event in data["events"]),
            language=Language(data["language"]),
            api_url=data["api_url"],
        )

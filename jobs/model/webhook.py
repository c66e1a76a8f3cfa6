"""The webhook that a start asks for with `webhook_url` and related keys."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.model.decoding import check_json
from jobs.model.i18n import Language


class WebhookPayload(StrEnum):
    """The size of a webhook's payload."""

    #: The body of the result endpoint.
    FULL = "full"
    #: The job's id and state, and URLs of the rest.
    THIN = "thin"


class WebhookEvent(StrEnum):
    """Events before a job's end that a webhook can include."""

    STARTED = "job.started"
    PROGRESS = "job.progress"


@dataclass(frozen=True)
class WebhookSubscription:
    """A webhook subscription, stored in the record as JSON.

    `lua_scripts/prelude.lua` reads `events` and `payload`.
    """

    #: Exactly as requested. Its query string may be a secret.
    url: str
    payload: WebhookPayload = WebhookPayload.FULL
    #: The events before the end.
    events: Sequence[WebhookEvent] = ()
    #: The language of its messages: that of the start.
    language: Language = Language.PT
    #: The base URL of the API as the client of the start sees it, for links.
    api_url: str = ""

    @property
    def identity(self) -> list[object]:
        """The fields that make two subscriptions equal; the language is not one of them."""
        return [self.url, self.payload, sorted(self.events)]

    def encode(self) -> str:
        """Return the JSON that the record stores."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "WebhookSubscription":
        """Parse what `encode` returned."""
        data = json.loads(text)
        if not isinstance(data["url"], str) or not isinstance(data["api_url"], str):
            raise TypeError(text)
        check_json(data["url"], data["api_url"])
        return cls(
            url=data["url"],
            payload=WebhookPayload(data["payload"]),
            events=tuple(WebhookEvent(event) for event in data["events"]),
            language=Language(data["language"]),
            api_url=data["api_url"],
        )

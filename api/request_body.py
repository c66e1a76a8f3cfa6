"""Read and validate the body of a start request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ValidationError, create_model
from pydantic import Field as Key

from api.errors import (
    FieldError,
    InvalidParametersError,
    TooLargeError,
    describe_validation_error,
)
from api.language import request_language
from jobs.model.webhook import WebhookEvent, WebhookPayload, WebhookSubscription
from jobs.url_policy import MAX_URL_LENGTH, UrlNotAllowedError, WebhookUrlPolicy
from scraper.recipes.param import Value


@dataclass(frozen=True)
class StartBody:
    """The validated body of a start request."""

    #: The job's parameters by name, with the defaults filled in.
    params: Mapping[str, Value]
    webhook: WebhookSubscription | None


_URL = Annotated[
    str | None,
    Key(
        max_length=MAX_URL_LENGTH,
        description="URL of an HTTP server that gets a POST when the job ends. "
        "`docs/webhooks.md` describes the payload.",
        examples=["https://example.com/hooks/garimpo"],
    ),
]
# Literals, since the schema of an enumeration is a reference, which a request body cannot resolve.
_PAYLOAD = Annotated[
    Literal["full", "thin"],
    Key(
        description="`full`: the webhook gets the body of the result endpoint. `thin`: it gets the "
        "job's id and state, and the URL of the result.",
    ),
]
_EVENTS = Annotated[
    list[Literal["job.started", "job.progress"]],
    Key(description="Further events to send, in addition to the end of the job."),
]


def make_start_model(params: type[BaseModel]) -> type[BaseModel]:
    """Return the model of a start request: a job's parameters and the webhook's fields."""
    # A dict: mypy cannot match unpacked fields to the overloads of create_model.
    webhook: dict[str, Any] = {
        "webhook_url": (_URL, None),
        "webhook_payload": (_PAYLOAD, WebhookPayload.FULL.value),
        "webhook_events": (_EVENTS, Key(default_factory=list)),
    }
    return create_model(params.__name__, __base__=params, **webhook)


async def read_start_body(
    request: Request, model: type[BaseModel], *, limit_bytes: int, url_policy: WebhookUrlPolicy
) -> StartBody:
    """Read and validate the body of a start request.

    An empty body means that every parameter has its default. The content type is ignored: `curl -d`
    sends JSON as a form.

    Args:
        request: The request.
        model: The model that `make_start_model` returned.
        limit_bytes: The size limit.
        url_policy: The URLs that webhooks may call.

    Raises:
        InvalidParametersError: A field is invalid; the error names each of them.
        TooLargeError: The body exceeds the limit.
    """
    body = await _read_bytes(request, limit_bytes)
    try:
        fields = model.model_validate_json(body.strip() or b"{}").model_dump()
    except ValidationError as error:
        field_errors = [describe_validation_error(detail) for detail in error.errors()]
        raise InvalidParametersError(field_errors) from error
    url = fields.pop("webhook_url")
    payload = WebhookPayload(fields.pop("webhook_payload"))
    events = tuple(map(WebhookEvent, dict.fromkeys(fields.pop("webhook_events"))))
    if url is None:
        if events or payload is not WebhookPayload.FULL:
            raise InvalidParametersError([FieldError("webhook_missing", "webhook_url")])
        return StartBody(fields, None)
    try:
        url_policy.check_url(url)
    except UrlNotAllowedError as error:
        field_error = FieldError(f"webhook_{error.rejection}", "webhook_url")
        raise InvalidParametersError([field_error]) from error
    webhook = WebhookSubscription(
        url=url,
        payload=payload,
        events=events,
        language=request_language(request),
        api_url=str(request.base_url),
    )
    return StartBody(fields, webhook)


async def _read_bytes(request: Request, limit_bytes: int) -> bytes:
    # request.body() would read all of it, whatever its size.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLargeError(limit=limit_bytes)
    return bytes(body)

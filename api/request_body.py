"""Read and validate the body of a start request."""

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ValidationError, create_model
from pydantic import Field as Key

from api.errors import InvalidParametersError, TooLargeError, describe_validation_error
from api.language import language_of
from jobs.model.webhook import WebhookEvent, WebhookPayload, WebhookSubscription
from jobs.url_policy import MAX_URL_LENGTH, UrlNotAllowedError, WebhookUrlPolicy


async def _read_model(request: Request, model: type[BaseModel]) -> BaseModel:
    """Check the body against a job's parameters.

    An empty body means every default. The content type is not looked at: a body that is JSON is
    what was meant, and `curl -d` announces a form.

    Raises:
        InvalidParametersError: It names each field at fault.
        TooLargeError: The body is larger than parameters can be.
    """
    body = await _read_bytes(request, request.app.state.body_limit_bytes)
    try:
        return model.model_validate_json(body.strip() or b"{}")
    except ValidationError as error:
        raise InvalidParametersError(
            [describe_validation_error(fault) for fault in error.errors()]
        ) from error


async def _read_bytes(request: Request, limit: int) -> bytes:
    # FastAPI's own limit answers in a shape of its own.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(limit=limit)
    return bytes(body)


_URL = Annotated[
    str | None,
    Key(
        max_length=MAX_URL_LENGTH,
        description="Who is told when the job ends: the address of an HTTP server that takes a "
        "POST. See `docs/webhooks.md`.",
        examples=["https://example.com/hooks/garimpo"],
    ),
]
# Not the enumerations: their schemas would be references, which lead nowhere in a request's body.
_PAYLOAD = Annotated[
    Literal["full", "thin"],
    Key(
        description="`full`: it gets the body that the result's address gives. `thin`: the job's "
        "id and state, and where to get the rest.",
    ),
]
_EVENTS = Annotated[
    list[Literal["job.started", "job.progress"]],
    Key(description="What it is told besides the end."),
]


def with_webhook(params: type[BaseModel]) -> type[BaseModel]:
    """Return the model of a start's body for the model of the job's parameters."""
    # The types of create_model know nothing of names that are no keywords.
    own: dict[str, Any] = {
        "webhook_url": (_URL, None),
        "webhook_payload": (_PAYLOAD, WebhookPayload.FULL.value),
        "webhook_events": (_EVENTS, Key(default_factory=list)),
    }
    return create_model(params.__name__, __base__=params, **own)


async def read_start(
    request: Request, model: type[BaseModel]
) -> tuple[dict[str, Any], WebhookSubscription | None]:
    """Check a start's body.

    Args:
        request: The start.
        model: What `with_webhook` made.

    Returns:
        The job's parameters, and who is told.

    Raises:
        InvalidParametersError: It names each field at fault.
        TooLargeError: The body is larger than a start can be.
    """
    values = (await _read_model(request, model)).model_dump()
    url = values.pop("webhook_url")
    payload = WebhookPayload(values.pop("webhook_payload"))
    events = tuple(map(WebhookEvent, dict.fromkeys(values.pop("webhook_events"))))
    if url is None:
        if events or payload is not WebhookPayload.FULL:
            raise InvalidParametersError([("webhook_missing", {"field": "webhook_url"})])
        return values, None
    reach: WebhookUrlPolicy = request.app.state.reach
    try:
        reach.check_url(url)
    except UrlNotAllowedError as error:
        fault = f"webhook_{error.rejection}"
        raise InvalidParametersError([(fault, {"field": "webhook_url"})]) from error
    return values, WebhookSubscription(
        url=url,
        payload=payload,
        events=events,
        language=language_of(request),
        api_url=str(request.base_url),
    )

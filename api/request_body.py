"""Read the bodies of requests; validate that of a start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ValidationError, create_model
from pydantic import Field as Key

from api.access.gate import has_key_header
from api.errors import (
    FieldError,
    InvalidParametersError,
    MediaTypeError,
    TooLargeError,
    describe_validation_error,
)
from api.language import request_language
from jobs.model.job import ACCOUNT_PATTERN, DEFAULT_ACCOUNT, MAX_ACCOUNT_LENGTH
from jobs.model.webhook import WebhookEvent, WebhookPayload, WebhookSubscription
from jobs.url_policy import MAX_URL_LENGTH, UrlNotAllowedError, WebhookUrlPolicy
from scraper.recipes.param import Value


@dataclass(frozen=True)
class StartBody:
    """The validated body of a start request."""

    #: The job's parameters by name, with the defaults filled in.
    params: Mapping[str, Value]
    webhook: WebhookSubscription | None
    #: The name of the site's account to use.
    account: str = DEFAULT_ACCOUNT


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
_ACCOUNT = Annotated[
    str,
    Key(
        pattern=ACCOUNT_PATTERN,
        max_length=MAX_ACCOUNT_LENGTH,
        description="Name of the account to log in with, if the workers know several: lower-case "
        "letters and digits, with hyphens between them.",
        examples=[DEFAULT_ACCOUNT],
    ),
]


def make_start_model(params: type[BaseModel], *, has_login: bool) -> type[BaseModel]:
    """Return the model of a start request: a job's parameters, the webhook's fields, the account.

    Args:
        params: The model of the parameters.
        has_login: Whether the site has accounts.
    """
    # A dict: mypy cannot match unpacked fields to the overloads of create_model.
    fields: dict[str, Any] = {
        "webhook_url": (_URL, None),
        "webhook_payload": (_PAYLOAD, WebhookPayload.FULL.value),
        "webhook_events": (_EVENTS, Key(default_factory=list)),
    }
    if has_login:
        fields["account"] = (_ACCOUNT, DEFAULT_ACCOUNT)
    return create_model(params.__name__, __base__=params, **fields)


async def read_start_body(
    request: Request,
    model: type[BaseModel],
    *,
    limit_bytes: int,
    url_policy: WebhookUrlPolicy,
    api_url: str,
) -> StartBody:
    """Read and validate the body of a start request.

    An empty body means that every parameter has its default. The content type must be JSON's: a
    page of another site can send a form with a visitor's browser, but neither JSON nor the header
    of an API key.

    Args:
        request: The request.
        model: The model that `make_start_model` returned.
        limit_bytes: The size limit.
        url_policy: The URLs that webhooks may call.
        api_url: The API's address, for links in webhooks; may be empty.

    Raises:
        MediaTypeError: The body is not declared as JSON.
        InvalidParametersError: A field is invalid; the error names each of them.
        TooLargeError: The body exceeds the limit.
    """
    body = await read_bytes(request, limit_bytes)
    _check_media_type(request, body)
    try:
        fields = model.model_validate_json(body.strip() or b"{}").model_dump()
    except ValidationError as error:
        field_errors = [describe_validation_error(detail) for detail in error.errors()]
        raise InvalidParametersError(field_errors) from error
    url = fields.pop("webhook_url")
    payload = WebhookPayload(fields.pop("webhook_payload"))
    events = tuple(map(WebhookEvent, dict.fromkeys(fields.pop("webhook_events"))))
    account = fields.pop("account", DEFAULT_ACCOUNT)
    if url is None:
        if events or payload is not WebhookPayload.FULL:
            raise InvalidParametersError([FieldError("webhook_missing", "webhook_url")])
        return StartBody(fields, None, account)
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
        api_url=api_url,
    )
    return StartBody(fields, webhook, account)


def _check_media_type(request: Request, body: bytes) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type and not body:
        return
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if not is_json and not has_key_header(request.headers):
        raise MediaTypeError(key="json_expected")


async def read_bytes(request: Request, limit_bytes: int) -> bytes:
    """Read the body of a request.

    Raises:
        TooLargeError: It exceeds the limit.
    """
    # request.body() would read all of it, whatever its size.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLargeError(limit=limit_bytes)
    return bytes(body)

"""API errors: their body, `{"detail": "…", "error_code": "…"}`, and the exception handlers."""

import dataclasses
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from api.language import request_language
from jobs.model.i18n import Language, catalogue, render
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.item_reader import ItemsExpiredError
from jobs.store.job_store import IdempotencyConflictError

logger = logging.getLogger(__name__)


class ErrorBody(BaseModel):
    """An error response."""

    detail: str = Field(
        description="What went wrong, in the caller's language.", examples=["Job não encontrado"]
    )
    error_code: str = Field(
        description="Stable, machine-readable code of the error.", examples=["job_not_found"]
    )


@dataclasses.dataclass(frozen=True)
class FieldError:
    """A validation error of one field or parameter, in no language yet."""

    #: The message's key in the catalogue, without `invalid.`.
    key: str
    field: str
    #: Further values for the message.
    details: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def render(self, language: Language) -> str:
        """Return the message."""
        return render(language, f"invalid.{self.key}", {"field": self.field, **self.details})


def describe_validation_error(error: Mapping[str, Any], *, skip: int = 0) -> FieldError:
    """Return one of pydantic's validation errors as a FieldError.

    Args:
        error: An element of `ValidationError.errors()`.
        skip: How many parts of its location to leave out.
    """
    key = error["type"] if f"invalid.{error['type']}" in catalogue(Language.PT) else "other"
    details = dict(error.get("ctx", {}))
    if key == "literal_error":
        details["expected"] = details["expected"].replace(" or ", ", ")
    return FieldError(key, ".".join(map(str, error["loc"][skip:])), details)


class ApiError(Exception):
    """An error that an endpoint responds with."""

    status: int
    code: str

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.code)

    def render(self, language: Language) -> str:
        """Return the message."""
        return render(language, f"error.{self.code}", self.details)


class ForbiddenError(ApiError):
    """A page of another site sent the request, in the browser of a visitor."""

    status = 403
    code = "forbidden"


class JobNotFoundError(ApiError):
    """The job does not exist, or belongs to another recipe job."""

    status = 404
    code = "job_not_found"


class JobExpiredError(ApiError):
    """The result of the job has expired."""

    status = 410
    code = "job_expired"


class DeliveryNotFoundError(ApiError):
    """No webhook was sent for the end of the job."""

    status = 404
    code = "delivery_not_found"


class JobFinalError(ApiError):
    """The job has already ended."""

    status = 409
    code = "job_final"


class TooLargeError(ApiError):
    """The request body exceeds the limit."""

    status = 413
    code = "too_large"


class InvalidParametersError(ApiError):
    """Parameters in the body, the query or the headers are invalid."""

    status = 422
    code = "invalid_parameters"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__()
        self.errors = errors

    def render(self, language: Language) -> str:
        """Return the messages of all errors; each names its field."""
        return "; ".join(error.render(language) for error in self.errors)


def _error_response(
    request: Request,
    status: int,
    code: str,
    *,
    message: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error response.

    Args:
        request: The request that failed.
        status: The HTTP status.
        code: The error code.
        message: The error message; by default, the message of the code in the caller's language.
        headers: Further headers.
    """
    detail = message or render(request_language(request), f"error.{code}", {})
    body = ErrorBody(detail=detail, error_code=code)
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


async def handle_api_error(request: Request, error: ApiError) -> Response:
    """Respond with the status, code and message of the error."""
    message = error.render(request_language(request))
    return _error_response(request, error.status, error.code, message=message)


async def handle_redis_unavailable(request: Request, error: RedisUnavailableError) -> Response:
    """Respond with 503 and the time after which to try again."""
    logger.warning("Redis is unavailable: %r", error.__cause__)
    return _error_response(request, 503, "redis_unavailable", headers={"Retry-After": "5"})


async def handle_items_expired(request: Request, _error: ItemsExpiredError) -> Response:
    """Respond with 410."""
    return _error_response(request, 410, "job_expired")


async def handle_idempotency_conflict(
    request: Request, _error: IdempotencyConflictError
) -> Response:
    """Respond with 422."""
    return _error_response(request, 422, "idempotency_conflict")


async def handle_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Respond with 422 and name the invalid query parameters and headers."""
    # The first part of each location is "query" or "header".
    errors = [describe_validation_error(detail, skip=1) for detail in error.errors()]
    return await handle_api_error(request, InvalidParametersError(errors))


#: Error code and message key by HTTP status.
_HTTP_ERRORS = {
    400: ("bad_request", "bad_request"),
    404: ("not_found", "not_found"),
    405: ("method_not_allowed", "method_not_allowed"),
    # The message of too_large names BODY_LIMIT_BYTES.
    413: ("too_large", "content_too_large"),
    415: ("unsupported_media_type", "unsupported_media_type"),
}


async def handle_http_error(request: Request, error: HTTPException) -> Response:
    """Respond to errors of Starlette and FastAPI, such as an unknown path, with their status."""
    status = error.status_code
    code, key = _HTTP_ERRORS.get(status, ("http_error", "http_error"))
    message = render(request_language(request), f"error.{key}", {"status": status})
    return _error_response(request, status, code, message=message, headers=error.headers)


async def handle_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
    """Return a response that is not sent; without one the server would log an exception."""
    return Response(status_code=400)


async def handle_unexpected_error(request: Request, _error: Exception) -> Response:
    """Respond with 500; Starlette then raises the exception again, so that the server logs it."""
    return _error_response(request, 500, "internal_error")


#: The exception handlers of the application, in the type that FastAPI declares.
EXCEPTION_HANDLERS: Mapping[
    int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]
] = {
    ApiError: handle_api_error,
    RedisUnavailableError: handle_redis_unavailable,
    ItemsExpiredError: handle_items_expired,
    IdempotencyConflictError: handle_idempotency_conflict,
    RequestValidationError: handle_validation_error,
    HTTPException: handle_http_error,
    ClientDisconnect: handle_disconnect,
    Exception: handle_unexpected_error,
}

"""API errors: their body, `{"detail": "…", "error_code": "…"}`, and the exception handlers."""

import dataclasses
import logging
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from api.language import request_language
from api.log_config import REFUSAL
from jobs.model.i18n import Language, catalogue, render
from jobs.redis.async_client import RedisUnavailableError, UnreadableDataError
from jobs.store.item_reader import ItemsExpiredError
from jobs.store.job_store import (
    IdempotencyConflictError,
    TooManyJobsError,
    TooManyStartsError,
)

logger = logging.getLogger(__name__)

#: When to try again if the queue is full, in seconds.
_QUEUE_RETRY_S = 30


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


class RefusalReason(StrEnum):
    """Why a request is not answered, whatever it asks for: for metrics and the log."""

    KEY_MISSING = "key_missing"
    KEY_UNKNOWN = "key_unknown"
    SCOPE = "scope"
    #: There are no keys, and the request comes from another machine.
    NOT_LOCAL = "not_local"
    HOST = "host"
    #: A page of another site has sent it.
    ORIGIN = "origin"
    RATE = "rate"


class ApiError(Exception):
    """An error that an endpoint responds with."""

    status: int
    code: str
    #: None unless the request is refused because of who sends it, or how often.
    refusal: RefusalReason | None = None

    def __init__(self, *, key: str = "", retry_after_s: int | None = None, **details: object):
        """Create the error.

        Args:
            key: The message's key in the catalogue; by default the code.
            retry_after_s: When to try again, in seconds from now; None if that is of no use.
            details: Further values for the message.
        """
        self.key = key or self.code
        self.retry_after_s = retry_after_s
        self.details = details
        super().__init__(self.code)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def render(self, language: Language) -> str:
        """Return the message."""
        return render(language, f"error.{self.key}", self.details)


class BadHostError(ApiError):
    """The request has no `Host` header, or several (RFC 9112, section 3.2)."""

    status = 400
    code = "bad_request"
    refusal = RefusalReason.HOST


class UnauthorizedError(ApiError):
    """The request has no API key, or none that is in force."""

    status = 401
    code = "unauthorized"

    def __init__(self, *, basic: bool, is_wrong: bool) -> None:
        """Create the error.

        Args:
            basic: Whether a browser may ask its user for the key.
            is_wrong: Whether the request has a key.
        """
        super().__init__(key="key_unknown" if is_wrong else "")
        self.refusal = RefusalReason.KEY_UNKNOWN if is_wrong else RefusalReason.KEY_MISSING
        self._scheme = "Basic" if basic else "Bearer"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response (RFC 9110, section 11.6.1)."""
        return {"WWW-Authenticate": f'{self._scheme} realm="Garimpo"'}


class ForbiddenError(ApiError):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class ScopeError(ForbiddenError):
    """The caller's key does not have the scope."""

    refusal = RefusalReason.SCOPE

    def __init__(self, scope: str) -> None:
        super().__init__(key="scope", scope=scope)


class OtherSiteError(ForbiddenError):
    """A page of another site has sent the request."""

    refusal = RefusalReason.ORIGIN

    def __init__(self) -> None:
        super().__init__(key="other_site")


class NotLocalError(ForbiddenError):
    """There are no keys, and the request comes from another machine."""

    refusal = RefusalReason.NOT_LOCAL

    def __init__(self) -> None:
        super().__init__(key="not_local")


class HostNotAllowedError(ApiError):
    """The request names a host that is not in ALLOWED_HOSTS."""

    status = 421
    code = "host_not_allowed"
    refusal = RefusalReason.HOST


class MediaTypeError(ApiError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"


class RateLimitedError(ApiError):
    """The caller has sent too many requests, or has too many jobs."""

    status = 429
    code = "rate_limited"
    refusal = RefusalReason.RATE


class QueueFullError(ApiError):
    """Too many jobs wait, or are kept."""

    status = 503
    code = "queue_full"


class TooManyDownloadsError(ApiError):
    """Too many workbooks are being built or sent."""

    status = 503
    code = "too_many_downloads"


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


class SessionNotFoundError(ApiError):
    """No session of this account is stored."""

    status = 404
    code = "session_not_found"


class SessionKeysMissingError(ApiError):
    """The API cannot encrypt a session."""

    status = 409
    code = "session_keys_missing"


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
    """Respond with the status, code and message of the error; count a refused request."""
    if error.refusal:
        REFUSAL.set(error.refusal)
        request.state.services.refused_requests[error.refusal] += 1
    message = error.render(request_language(request))
    return _error_response(
        request, error.status, error.code, message=message, headers=error.headers
    )


async def handle_redis_unavailable(request: Request, error: RedisUnavailableError) -> Response:
    """Respond with 503 and the time after which to try again."""
    logger.warning("Redis is unavailable: %r", error.__cause__)
    return _error_response(request, 503, "redis_unavailable", headers={"Retry-After": "5"})


async def handle_unreadable_data(request: Request, error: UnreadableDataError) -> Response:
    """Respond with 503: Redis answers, and an upgrade of the API may make the data readable."""
    logger.warning("data in Redis cannot be read: %s", error)
    return _error_response(request, 503, "record_unreadable", headers={"Retry-After": "60"})


async def handle_items_expired(request: Request, _error: ItemsExpiredError) -> Response:
    """Respond with 410."""
    return _error_response(request, 410, "job_expired")


async def handle_idempotency_conflict(
    request: Request, _error: IdempotencyConflictError
) -> Response:
    """Respond with 422."""
    return _error_response(request, 422, "idempotency_conflict")


async def handle_too_many_starts(request: Request, error: TooManyStartsError) -> Response:
    """Respond with 429 and the time after which the caller has a start left."""
    limit = request.state.services.rate_limits.starts
    retry_after_s = math.ceil(error.retry_after.total_seconds())
    refusal = RateLimitedError(retry_after_s=retry_after_s, kind="starts", limit=limit)
    return await handle_api_error(request, refusal)


async def handle_too_many_jobs(request: Request, error: TooManyJobsError) -> Response:
    """Respond with 429 if the caller has too many jobs, and with 503 if there are too many."""
    if error.of_caller:
        refusal: ApiError = RateLimitedError(key="too_many_jobs", retry_after_s=_QUEUE_RETRY_S)
    else:
        refusal = QueueFullError(retry_after_s=_QUEUE_RETRY_S)
    return await handle_api_error(request, refusal)


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
    UnreadableDataError: handle_unreadable_data,
    ItemsExpiredError: handle_items_expired,
    IdempotencyConflictError: handle_idempotency_conflict,
    TooManyJobsError: handle_too_many_jobs,
    TooManyStartsError: handle_too_many_starts,
    RequestValidationError: handle_validation_error,
    HTTPException: handle_http_error,
    ClientDisconnect: handle_disconnect,
    Exception: handle_unexpected_error,
}

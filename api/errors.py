"""The API's own errors: one shape, `{"detail": "a sentence", "error_code": "…"}`."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from api.language import language_of
from jobs.model.i18n import Language, catalogue, render
from jobs.redis.async_client import RedisUnavailableError


def describe_validation_error(fault: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Return the sentence's key and arguments for one of pydantic's errors."""
    kind = fault["type"] if f"invalid.{fault['type']}" in catalogue(Language.PT) else "other"
    details = dict(fault.get("ctx", {}))
    if kind == "literal_error":
        details["expected"] = details["expected"].replace(" or ", ", ")
    return kind, {"field": ".".join(str(part) for part in fault["loc"]), **details}


logger = logging.getLogger(__name__)

_ROUTING_CODES = {405: "method_not_allowed"}


class ErrorBody(BaseModel):
    """Why the request was not answered."""

    detail: str = Field(description="A sentence, in the caller's language.")
    error_code: str = Field(description="The same, for programs; never renamed.")


class ApiError(Exception):
    """A request that cannot be answered."""

    status: int
    code: str
    headers: Mapping[str, str] = {}

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.code)

    def sentence(self, language: Language) -> str:
        """Say it in the caller's language."""
        return render(language, f"error.{self.code}", self.details)


class ForbiddenError(ApiError):
    """Another site's page asks, in the name of whoever visits it."""

    status = 403
    code = "forbidden"


class JobNotFoundError(ApiError):
    """There never was such a job, or it is another recipe's."""

    status = 404
    code = "job_not_found"


class JobExpiredError(ApiError):
    """There was such a job, and its result is gone."""

    status = 410
    code = "job_expired"


class DeliveryNotFoundError(ApiError):
    """Nobody was told of the job's end, or it has not ended."""

    status = 404
    code = "delivery_not_found"


class JobFinalError(ApiError):
    """The job has ended, so that nothing can be done to it."""

    status = 409
    code = "job_final"


class IdempotencyConflict(ApiError):  # noqa: N818 - the other one is the jobs' own
    """The Idempotency-Key was used for another request."""

    status = 422
    code = "idempotency_conflict"


class TooLargeError(ApiError):
    """The body is larger than a start can be."""

    status = 413
    code = "too_large"


class ServiceUnavailableError(ApiError):
    """Nothing can be said of any job just now."""

    status = 503
    code = "redis_unavailable"
    headers: Mapping[str, str] = {"Retry-After": "5"}


class InternalError(ApiError):
    """An error of our own."""

    status = 500
    code = "internal_error"


class InvalidParametersError(ApiError):
    """The body does not fit the job's parameters."""

    status = 422
    code = "invalid_parameters"

    def __init__(self, faults: list[tuple[str, dict[str, object]]]) -> None:
        super().__init__()
        self.faults = faults

    def sentence(self, language: Language) -> str:
        """Name each field and what is wrong with it."""
        return "; ".join(render(language, f"invalid.{key}", args) for key, args in self.faults)


class RoutingError(ApiError):
    """What Starlette's router says: no such address, or not with this method."""

    def __init__(self, error: HTTPException) -> None:
        self.status = error.status_code
        self.code = _ROUTING_CODES.get(error.status_code, "not_found")
        self.headers = error.headers or {}
        super().__init__()


def error_response(request: Request, error: ApiError) -> Response:
    """Turn an error into a response."""
    body = ErrorBody(detail=error.sentence(language_of(request)), error_code=error.code)
    return JSONResponse(body.model_dump(), status_code=error.status, headers=error.headers)


def install_error_handlers(app: FastAPI) -> None:
    """Make the app answer all errors in the one shape."""

    @app.exception_handler(ApiError)
    async def known(request: Request, error: ApiError) -> Response:
        return error_response(request, error)

    @app.exception_handler(RedisUnavailableError)
    async def away(request: Request, error: RedisUnavailableError) -> Response:
        logger.warning("Redis does not answer: %r", error.__cause__)
        return error_response(request, ServiceUnavailableError())

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody is there to read it; without an answer the server would log an error of ours.
        return Response(status_code=400)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Where it stands (query, header) is of no use to whoever sees its name.
        faults = [
            describe_validation_error({**fault, "loc": fault["loc"][1:]})
            for fault in error.errors()
        ]
        return error_response(request, InvalidParametersError(faults))

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        return error_response(request, RoutingError(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _error: Exception) -> Response:
        # Starlette raises it on to the server after this answer, which logs the traceback.
        return error_response(request, InternalError())

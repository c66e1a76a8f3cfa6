"""Reads a start's body: the job's parameters, at the top level, all of them optional."""

from fastapi import Request
from pydantic import BaseModel, ValidationError

from api.errors import InvalidParametersError, TooLargeError
from api.faults import describe_validation_error


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
        raise InvalidParametersError([describe_validation_error(fault) for fault in error.errors()]) from error


async def _read_bytes(request: Request, limit: int) -> bytes:
    # FastAPI's own limit answers in a shape of its own.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(limit=limit)
    return bytes(body)

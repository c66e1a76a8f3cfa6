"""Errors of Starlette and FastAPI: each keeps its status and gets a code and a sentence."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from api.errors import EXCEPTION_HANDLERS

PATH = "/fail"


def respond(
    status: int, *, method: str = "GET", path: str = PATH, **headers: str
) -> httpx.Response:
    """Return the response of an app whose endpoint fails with an HTTP status."""
    app = FastAPI(exception_handlers=dict(EXCEPTION_HANDLERS))

    @app.get(PATH)
    async def fail() -> None:
        raise HTTPException(status, headers={"x-reason": "test"})

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


class TestHttpError:
    @pytest.mark.parametrize(
        ("status", "code", "detail"),
        [
            (400, "bad_request", "The request is malformed"),
            (404, "not_found", "URL not found"),
            (405, "method_not_allowed", "Method not allowed for this URL"),
            (413, "too_large", "The request body is too large"),
            (415, "unsupported_media_type", "The content type of the request is not supported"),
            (406, "http_error", "The request failed with HTTP status 406"),
            (502, "http_error", "The request failed with HTTP status 502"),
        ],
    )
    def test_keeps_its_status_and_has_a_code_of_its_own(
        self, status: int, code: str, detail: str
    ) -> None:
        response = respond(status, **{"accept-language": "en"})

        assert response.status_code == status
        assert response.json() == {"detail": detail, "error_code": code}
        assert response.headers["x-reason"] == "test"

    def test_is_portuguese_by_default(self) -> None:
        assert respond(415).json()["detail"] == "O tipo de conteúdo da requisição não é aceito"

    def test_of_an_unknown_path_is_not_found(self) -> None:
        response = respond(500, path="/unknown")

        assert (response.status_code, response.json()["error_code"]) == (404, "not_found")

    def test_of_a_wrong_method_names_the_allowed_ones(self) -> None:
        response = respond(500, method="POST")

        assert (response.status_code, response.headers["allow"]) == (405, "GET")
        assert response.json()["error_code"] == "method_not_allowed"

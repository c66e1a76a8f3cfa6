"""Who is answered, by the address that a request comes from."""

import asyncio
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from api.access.api_key import parse_keys
from api.access.gate import AccessPolicy, Gate
from api.access.hosts import AllowedHosts, HostRule
from api.access.key_ring import KeyRing

KEY = "key-of-the-tests-0123456789"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the caller's name."""
    caller = Request(scope).state.caller
    await JSONResponse({"caller": caller.name})(scope, receive, send)


def get(policy: AccessPolicy, client: tuple[str, int] | None, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        gate = Gate(echo, policy)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            services = SimpleNamespace(refused_requests=Counter())
            state = {"services": services}
            await gate({**scope, "client": client, "state": state}, receive, send)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
            return await http.get("/api/v1/jobs", headers=headers)

    return asyncio.run(send())


def policy(keys: str = "", file: Path | None = None) -> AccessPolicy:
    hosts = AllowedHosts([HostRule("*")], loopback=True)
    return AccessPolicy(KeyRing(parse_keys(keys), file), hosts)


class TestWithoutKeys:
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
    def test_answers_this_machine(self, address: str) -> None:
        response = get(policy(), (address, 4711))

        assert response.json() == {"caller": ""}

    @pytest.mark.parametrize(
        "address",
        ["10.0.0.5", "172.17.0.1", "203.0.113.7", "::ffff:10.0.0.5", "2001:db8::1", "", "unknown"],
    )
    def test_answers_no_other(self, address: str) -> None:
        response = get(policy(), (address, 4711))

        assert (response.status_code, response.json()["error_code"]) == (403, "forbidden")

    def test_answers_no_unix_socket(self) -> None:
        assert get(policy(), None).status_code == 403

    @pytest.mark.parametrize("name", ["Via", "CF-Connecting-IP", "X-Forwarded-Proto", "Forwarded"])
    def test_answers_no_proxy(self, name: str) -> None:
        assert get(policy(), ("127.0.0.1", 4711), **{name: "1"}).status_code == 403


class TestWithKeys:
    def test_answers_every_address(self) -> None:
        headers = {"X-API-Key": KEY}
        response = get(policy(f"n8n:{KEY}"), ("203.0.113.7", 4711), **headers)

        assert response.json() == {"caller": "n8n"}

    def test_this_machine_needs_one_too(self) -> None:
        assert get(policy(f"n8n:{KEY}"), ("127.0.0.1", 4711)).status_code == 401

    def test_says_what_a_page_may_do_with_the_response(self) -> None:
        headers = get(policy(f"n8n:{KEY}"), ("127.0.0.1", 4711)).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"

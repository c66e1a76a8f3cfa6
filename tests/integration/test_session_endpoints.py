"""The sessions of accounts by API: listed without their values, imported, renewed, forgotten."""

import json
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.integration.services import SESSION_KEYS, Services, run_job, write_fast_recipe
from tests.support.demo_site import EMAIL, PASSWORD

SESSIONS = "/api/v1/tubehunt/sessions"
COOKIE = "tubehunt_session"
PARAMS = {"pages": 1, "per_page": 10}
STATE = {"cookies": [{"name": COOKIE, "value": "s3cret-value", "domain": "127.0.0.1"}]}


@pytest.fixture(scope="module")
def stack_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    recipes = tmp_path_factory.mktemp("recipes")
    write_fast_recipe(recipes, login_timeout_s=20)
    settings = {"RECIPES_DIR": str(recipes), "SESSION_KEYS": SESSION_KEYS}
    with Stack(settings=settings) as stack:
        redis = stack.redis()
        site = stack.site("--latency-ms", "0")
        stack.worker()
        yield Services(stack, redis, site, stack.api())


@pytest.fixture
def services(stack_services: Services) -> Services:
    with stack_services.connect() as redis:
        redis.flushall()
    stack_services.demo.have()
    stack_services.demo.forget_requests()
    return stack_services


def count_logins(services: Services) -> int:
    return sum(request["method"] == "POST" for request in services.demo.requests("/login"))


def log_in_elsewhere(services: Services) -> str:
    """Log in to the site as somebody with a browser would; return the value of the cookie."""
    with httpx.Client(base_url=services.site.url, trust_env=False) as browser:
        page = browser.get("/login").text
        token = page.partition('name="_token" value="')[2].partition('"')[0]
        fields = {"email": EMAIL, "password": PASSWORD, "_token": token}
        assert browser.post("/login", data=fields).is_redirect
        jar: CookieJar = browser.cookies.jar
        [value] = [cookie.value for cookie in jar if cookie.name == COOKIE]
        assert value
        return value


def list_sessions(services: Services) -> list[dict[str, Any]]:
    with services.client() as api:
        response = api.get(SESSIONS)
        assert response.status_code == 200, response.text
        sessions: list[dict[str, Any]] = response.json()["sessions"]
        return sessions


class TestList:
    def test_has_no_value(self, services: Services) -> None:
        assert list_sessions(services) == []

        run_job(services, PARAMS)

        with services.connect() as redis:
            stored = str(redis.hget(keys.session("tubehunt", "default"), "state"))
        [session] = list_sessions(services)
        assert session["account"] == "default"
        assert (session["state"], session["source"]) == ("stored", "login")
        assert session["age_seconds"] >= 0
        assert session["created_at"] <= session["last_used_at"]
        assert stored not in json.dumps(session)

    def test_shows_when_a_job_has_last_used_it(self, services: Services) -> None:
        run_job(services, PARAMS)
        [first] = list_sessions(services)
        run_job(services, PARAMS)
        [second] = list_sessions(services)

        assert first["created_at"] == second["created_at"]
        assert first["last_used_at"] < second["last_used_at"]

    def test_leaves_out_what_has_expired(self, services: Services) -> None:
        run_job(services, PARAMS)
        services.forget_sessions()

        assert list_sessions(services) == []


class TestImport:
    @pytest.mark.parametrize("form", ["storage state", "list of cookies", "cookie file"])
    def test_is_used_by_the_next_job(self, services: Services, form: str) -> None:
        value = log_in_elsewhere(services)
        services.demo.forget_requests()
        cookie = {"name": COOKIE, "value": value, "domain": "127.0.0.1", "httpOnly": True}
        foreign = cookie | {"domain": "other.example"}
        body = {
            "storage state": json.dumps({"cookies": [cookie, foreign], "origins": []}),
            "list of cookies": json.dumps([cookie | {"hostOnly": True}, foreign]),
            "cookie file": f"#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\t{COOKIE}\t{value}",
        }[form]

        with services.client() as api:
            response = api.put(f"{SESSIONS}/default", content=body)

        assert response.status_code == 200, response.text
        assert value not in response.text
        imported = response.json()
        assert (imported["state"], imported["source"]) == ("stored", "import")
        assert imported["last_used_at"] is None
        assert run_job(services, PARAMS).end["status"] == "completed"
        assert count_logins(services) == 0
        with services.connect() as redis:
            stored = redis.hgetall(keys.session("tubehunt", "default"))
        assert value not in str(stored)
        assert b"other.example" not in Fernet(SESSION_KEYS).decrypt(stored["state"])

    def test_serves_an_account_without_credentials(self, services: Services) -> None:
        cookie = {"name": COOKIE, "value": log_in_elsewhere(services), "domain": "127.0.0.1"}
        with services.client() as api:
            api.put(f"{SESSIONS}/by-hand", json=[cookie]).raise_for_status()

        end = run_job(services, {**PARAMS, "account": "by-hand"}).end

        assert end["status"] == "completed"

    def test_that_is_not_valid_at_the_site_leads_to_a_login(self, services: Services) -> None:
        with services.client() as api:
            for account in ("default", "by-hand"):
                api.put(f"{SESSIONS}/{account}", json=STATE).raise_for_status()

        known = run_job(services, PARAMS).end
        unknown = run_job(services, {**PARAMS, "account": "by-hand"}).end

        assert (known["status"], count_logins(services)) == ("completed", 1)
        assert unknown["error_code"] == "credentials_missing"
        assert "TUBEHUNT__BY_HAND__PASSWORD" in unknown["error"]

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("s3cret", "storageState"),
            ('{"cookies": [{"name": "s3cret"}]}', "cookie 1"),
            ("[]", "still valid"),
        ],
    )
    def test_of_something_else_is_refused_without_a_quote(
        self, services: Services, body: str, words: str
    ) -> None:
        with services.client() as api:
            response = api.put(
                f"{SESSIONS}/default", content=body, headers={"Accept-Language": "en"}
            )

        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
        assert words in response.json()["detail"]
        assert "s3cret" not in response.text
        assert list_sessions(services) == []

    def test_is_bounded(self, services: Services) -> None:
        with services.client() as api:
            response = api.put(f"{SESSIONS}/default", content=b" " * 1_000_001)

        assert (response.status_code, response.json()["error_code"]) == (413, "too_large")

    def test_needs_keys(self, services: Services) -> None:
        url = services.stack.api({"SESSION_KEYS": ""}).url

        response = httpx.put(f"{url}{SESSIONS}/default", json=STATE, trust_env=False)

        assert (response.status_code, response.json()["error_code"]) == (
            409,
            "session_keys_missing",
        )
        assert "SESSION_KEYS" in response.json()["detail"]

    def test_needs_a_name_of_the_right_form(self, services: Services) -> None:
        with services.client() as api:
            assert api.put(f"{SESSIONS}/No Name", json=STATE).status_code == 422
            assert api.put(f"{SESSIONS}/{'x' * 51}", json=STATE).status_code == 422


class TestRenew:
    def test_lets_the_next_job_log_in(self, services: Services) -> None:
        run_job(services, PARAMS)

        with services.client() as api:
            response = api.post(f"{SESSIONS}/default/renew")

        assert response.status_code == 200
        assert response.json() == {
            "account": "default",
            "state": "none",
            "source": None,
            "created_at": None,
            "age_seconds": None,
            "last_used_at": None,
        }
        assert run_job(services, PARAMS).end["status"] == "completed"
        assert count_logins(services) == 2
        assert list_sessions(services)[0]["state"] == "stored"

    def test_of_an_unknown_account_is_refused(self, services: Services) -> None:
        with services.client() as api:
            response = api.post(f"{SESSIONS}/other/renew")

        assert (response.status_code, response.json()["error_code"]) == (404, "session_not_found")


class TestDelete:
    def test_forgets_the_session(self, services: Services) -> None:
        run_job(services, PARAMS)

        with services.client() as api:
            assert api.delete(f"{SESSIONS}/default").status_code == 204
            assert api.delete(f"{SESSIONS}/default").status_code == 404

        assert list_sessions(services) == []
        with services.connect() as redis:
            assert redis.hgetall(keys.session("tubehunt", "default")).keys() == {"version"}
        run_job(services, PARAMS)
        assert count_logins(services) == 2


class TestAccess:
    def test_needs_the_scope(self, services: Services) -> None:
        secret = "secret-of-this-test-0123"
        scopes = {"API_KEYS": f"a:{secret}-a:start+read+cancel,b:{secret}-b:sessions"}
        url = services.stack.api(scopes).url
        with httpx.Client(base_url=url, trust_env=False) as api:
            for name, status in (("a", 403), ("b", 200)):
                headers = {"X-API-Key": f"{secret}-{name}"}
                assert api.get(SESSIONS, headers=headers).status_code == status
                response = api.put(f"{SESSIONS}/default", json=STATE, headers=headers)
                assert response.status_code == status
                response = api.post(f"{SESSIONS}/default/renew", headers=headers)
                assert response.status_code == status
            assert api.delete(f"{SESSIONS}/default").status_code == 401

"""The API client against a server with prepared responses."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from garimpo.client.client import Client
from garimpo.client.errors import (
    ApiRefusedError,
    ApiUnreachableError,
    NotTheApiError,
    UnknownJobError,
)
from garimpo.client.job_ref import JobRef
from garimpo.local_stack.system import find_free_port
from tests.support.scripted_api import CannedResponse, ScriptedApi, run_scripted_api

WAITING = CannedResponse(
    {"job_id": "7", "status": "pending", "progress": 0, "retry_after_seconds": 0.25}
)
HALF = CannedResponse(
    {"job_id": "7", "status": "processing", "progress": 50, "retry_after_seconds": 3}
)
DONE = CannedResponse({"job_id": "7", "status": "completed", "result": {"success": True}})
FAILED = CannedResponse({"job_id": "7", "status": "failed", "error": "Não deu", "error_code": "x"})
CUT = CannedResponse(cut=True)
KEEP_ALIVE = CannedResponse(": keep-alive\n\n")
JOB_7 = JobRef("tubehunt", "scrape-channels", "7")


def _unavailable(**headers: str) -> CannedResponse:
    body = {"detail": "Redis does not answer.", "error_code": "redis_unavailable"}
    return CannedResponse(
        body, 503, {name.replace("_", "-"): value for name, value in headers.items()}
    )


class FollowRecorder:
    """Follows job 7 without waiting; records pauses and outages."""

    def __init__(self, patience_s: float = 300.0, *, live: bool = False) -> None:
        self.patience_s = patience_s
        self.live = live
        self.pauses: list[float] = []
        self.outages: list[str] = []

    def follow(self, api: ScriptedApi) -> list[dict[str, Any]]:
        client = Client(api.url, patience_s=self.patience_s, pause=self.pauses.append)
        with client:
            return list(client.follow(JOB_7, self.outages.append, live=self.live))


class TestStart:
    def test_posts_the_parameters_and_returns_the_body(self) -> None:
        with (
            run_scripted_api(CannedResponse({"job_id": "7", "status": "pending"}, 202)) as api,
            Client(api.url + "/", language="pt") as client,
        ):
            body = client.start("tubehunt", "scrape-channels", {"pages": 2})
        assert body == {"job_id": "7", "status": "pending"}
        assert api.requests == [("POST", "/api/v1/tubehunt/scrape-channels/start")]
        assert api.bodies == [{"pages": 2}]
        assert api.languages == ["pt"]

    def test_raises_the_message_of_an_error_response(self) -> None:
        error = {"detail": "pages: must be at most 100", "error_code": "invalid_parameters"}
        with (
            run_scripted_api(CannedResponse(error, 422)) as api,
            Client(api.url) as client,
            pytest.raises(ApiRefusedError) as caught,
        ):
            client.start("tubehunt", "scrape-channels")
        assert str(caught.value) == "pages: must be at most 100"
        assert (caught.value.status, caught.value.code) == (422, "invalid_parameters")

    @pytest.mark.parametrize("outage", [_unavailable(), CUT])
    def test_is_retried_with_the_same_key(self, outage: CannedResponse) -> None:
        pauses: list[float] = []
        with (
            run_scripted_api(
                outage, outage, CannedResponse({"job_id": "7", "status": "pending"})
            ) as api,
            Client(api.url, pause=pauses.append) as client,
        ):
            assert client.start("tubehunt", "scrape-channels")["job_id"] == "7"
        assert len(pauses) == 2
        assert len(api.keys) == 3
        assert len(set(api.keys)) == 1

    def test_uses_a_new_key_or_that_of_the_caller(self) -> None:
        with (
            run_scripted_api(CannedResponse({"job_id": "7", "status": "pending"})) as api,
            Client(api.url) as client,
        ):
            for key in (None, None, "order-4711"):
                client.start("tubehunt", "scrape-channels", idempotency_key=key)
        assert None not in api.keys
        assert len(set(api.keys)) == 3
        assert api.keys[2] == "order-4711"

    def test_stops_retrying_when_the_api_stays_unavailable(self) -> None:
        with (
            run_scripted_api(_unavailable()) as api,
            Client(api.url, pause=lambda _: None) as client,
            pytest.raises(ApiUnreachableError, match="Redis does not answer") as caught,
        ):
            client.start("tubehunt", "scrape-channels")
        assert "make dev" not in str(caught.value), "it is already running"
        assert len(api.requests) == 3

    def test_names_an_address_that_cannot_be_reached(self) -> None:
        url = f"http://127.0.0.1:{find_free_port()}"
        with Client(url) as client, pytest.raises(ApiUnreachableError) as caught:
            client.start("tubehunt", "scrape-channels")
        assert url in str(caught.value)
        assert "make dev" in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["http://me:s3cret@127.0.0.1:9", "me:s3cret@127.0.0.1:9", "http://me:s3c/ret@host:x"]
    )
    def test_does_not_show_the_password(self, url: str) -> None:
        with pytest.raises(ApiUnreachableError) as caught, Client(url) as client:
            client.start("tubehunt", "scrape-channels")
        assert "s3c" not in str(caught.value)

    def test_sends_the_password(self) -> None:
        with run_scripted_api(CannedResponse({"job_id": "7", "status": "pending"})) as api:
            with Client(api.url.replace("//", "//me:s3cret@")) as client:
                client.start("tubehunt", "scrape-channels")
            assert client.url == api.url
            assert len(api.requests) == 1

    def test_uses_http_without_a_scheme(self) -> None:
        with (
            run_scripted_api(CannedResponse({"job_id": "7", "status": "pending"})) as api,
            Client(api.url.removeprefix("http://")) as client,
        ):
            assert client.start("tubehunt", "scrape-channels")["job_id"] == "7"

    @pytest.mark.parametrize(
        "url", ["", "http://", "ftp://127.0.0.1", "http://[::1", "http://xn--a"]
    )
    def test_names_an_invalid_address(self, url: str) -> None:
        with pytest.raises(ApiUnreachableError, match="--url"), Client(url) as client:
            client.start("tubehunt", "scrape-channels")

    @pytest.mark.parametrize(
        "response",
        [
            CannedResponse("<html>"),
            CannedResponse([]),
            CannedResponse({"hello": "world"}),
            CannedResponse({"hello": "world"}, 404),
            CannedResponse("", 302, {"Location": "/elsewhere"}),
        ],
    )
    def test_notices_another_server(self, response: CannedResponse) -> None:
        with (
            run_scripted_api(response) as api,
            Client(api.url) as client,
            pytest.raises(NotTheApiError, match="is not Garimpo's API"),
        ):
            client.start("tubehunt", "scrape-channels")

    def test_quotes_special_characters_in_names(self) -> None:
        with (
            run_scripted_api(CannedResponse({"detail": "no", "error_code": "x"}, 404)) as api,
            Client(api.url) as client,
            pytest.raises(UnknownJobError, match=r"has no job \.\./x y\?z"),
        ):
            client.start("../x", "y?z")
        assert api.requests[0] == ("POST", "/api/v1/..%2Fx/y%3Fz/start")

    def test_names_the_available_jobs(self) -> None:
        paths: dict[str, Any] = {
            "/api/health": {},
            "/api/v1/s/one/start": {},
            "/api/v1/s/one/result/{id}": {},
        }
        with (
            run_scripted_api(
                CannedResponse({"detail": "no", "error_code": "not_found"}, 404),
                CannedResponse({"paths": paths}),
            ) as api,
            Client(api.url) as client,
            pytest.raises(UnknownJobError, match=r"Available jobs: s one\."),
        ):
            client.start("s", "two")


class TestFind:
    @pytest.mark.parametrize("body", [{"status": "up"}, {"site": "s", "job": "j", "status": "up"}])
    def test_notices_another_server(self, body: dict[str, Any]) -> None:
        with (
            run_scripted_api(CannedResponse(body)) as api,
            Client(api.url) as client,
            pytest.raises(NotTheApiError),
        ):
            client.find("7")


class TestDownload:
    def test_may_take_longer_than_other_requests(self) -> None:
        with _run_slow_api() as url, Client(url, timeout_s=0.1) as client:
            with pytest.raises(ApiUnreachableError):
                client.find("7")
            pieces = client.download(JOB_7, format="xlsx")
            assert not isinstance(pieces, dict)
            assert b"".join(pieces) == b"a workbook"


@contextmanager
def _run_slow_api() -> Iterator[str]:
    """Serve a workbook after half a second."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            threading.Event().wait(0.5)
            with suppress(ConnectionError):  # the client has timed out
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"a workbook")

        def log_message(self, *_: object) -> None:
            """Disable the log on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestHealth:
    def test_returns_the_body_of_an_unhealthy_api(self) -> None:
        with (
            run_scripted_api(CannedResponse({"status": "error"}, 503)) as api,
            Client(api.url) as client,
        ):
            assert client.health() == {"status": "error"}


class TestFollow:
    def test_yields_every_body_to_the_final_one(self) -> None:
        follower = FollowRecorder()
        with run_scripted_api(WAITING, HALF, DONE) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert len(api.requests) == 3

    def test_polls_when_the_body_says(self) -> None:
        follower = FollowRecorder()
        with run_scripted_api(WAITING, HALF, DONE) as api:
            follower.follow(api)
        assert follower.pauses == [0.25, 3]

    def test_ends_with_a_failed_job(self) -> None:
        with run_scripted_api(WAITING, FAILED) as api:
            assert FollowRecorder().follow(api)[-1] == FAILED.body

    @pytest.mark.parametrize("outage", [_unavailable(), CUT, CannedResponse("Bad Gateway", 502)])
    def test_continues_after_an_outage(self, outage: CannedResponse) -> None:
        follower = FollowRecorder()
        with run_scripted_api(WAITING, outage, outage, HALF, outage, DONE) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert len(follower.outages) == 3

    def test_backs_off_exponentially_and_resets_after_a_response(self) -> None:
        follower = FollowRecorder()
        outage = [_unavailable()] * 7
        with run_scripted_api(*outage, HALF, _unavailable(), DONE) as api:
            follower.follow(api)
        assert follower.pauses == [0.5, 1, 2, 4, 8, 10, 10, 3, 0.5]

    def test_respects_retry_after(self) -> None:
        follower = FollowRecorder()
        with run_scripted_api(
            _unavailable(Retry_After="7"),
            _unavailable(Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
            CannedResponse(
                {"detail": "Slower.", "error_code": "rate_limited"}, 429, {"Retry-After": "9"}
            ),
            DONE,
        ) as api:
            follower.follow(api)
        assert follower.pauses == [7, 1, 9]

    def test_raises_when_its_patience_ends(self) -> None:
        follower = FollowRecorder(patience_s=0.2)
        with run_scripted_api(_unavailable()) as api, pytest.raises(ApiUnreachableError):
            follower.follow(api)
        assert len(api.requests) >= 2

    @pytest.mark.parametrize("status", [404, 410])
    def test_raises_at_once_if_the_result_does_not_exist(self, status: int) -> None:
        gone = CannedResponse({"detail": "No such result.", "error_code": "job_expired"}, status)
        with (
            run_scripted_api(WAITING, gone) as api,
            pytest.raises(ApiRefusedError, match="No such result"),
        ):
            FollowRecorder().follow(api)
        assert len(api.requests) == 2

    def test_pause_can_stop_the_wait(self) -> None:
        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        with run_scripted_api(WAITING) as api, Client(api.url, pause=interrupt) as client:
            bodies = client.follow(JOB_7)
            assert next(bodies) == WAITING.body
            with pytest.raises(KeyboardInterrupt):
                next(bodies)


class TestFollowLive:
    def test_yields_each_change_of_the_stream(self) -> None:
        follower = FollowRecorder(live=True)
        with run_scripted_api(_stream(WAITING, HALF, DONE)) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert api.requests == [("GET", "/api/v1/tubehunt/scrape-channels/events/7")]
        assert follower.pauses == []

    def test_reconnects_after_an_interruption(self) -> None:
        follower = FollowRecorder(live=True)
        with run_scripted_api(_stream(HALF), _stream(DONE)) as api:
            assert follower.follow(api) == [HALF.body, DONE.body]
        assert follower.pauses == [3], "as long as the body says"

    @pytest.mark.parametrize("empty", [CannedResponse(": held back"), CUT, CannedResponse("", 502)])
    def test_polls_if_a_stream_yields_nothing(self, empty: CannedResponse) -> None:
        follower = FollowRecorder(live=True)
        with run_scripted_api(empty, WAITING, DONE) as api:
            assert follower.follow(api) == [WAITING.body, DONE.body]
        assert [path.split("/")[-2] for _, path in api.requests] == ["events", "result", "result"]

    def test_polls_a_pending_job_at_each_keep_alive(self) -> None:
        follower = FollowRecorder(live=True)
        updated = CannedResponse(WAITING.body | {"queue_position": 1})
        stream = _stream(WAITING, KEEP_ALIVE, HALF, KEEP_ALIVE, DONE)
        with run_scripted_api(stream, updated) as api:
            assert follower.follow(api) == [WAITING.body, updated.body, HALF.body, DONE.body]
        assert [path.split("/")[-2] for _, path in api.requests] == ["events", "result"]

    def test_reconnects_if_that_poll_fails(self) -> None:
        follower = FollowRecorder(live=True)
        with run_scripted_api(_stream(WAITING, KEEP_ALIVE), CUT, _stream(DONE)) as api:
            assert follower.follow(api) == [WAITING.body, DONE.body]
        assert len(follower.outages) == 1


def _stream(*events: CannedResponse) -> CannedResponse:
    """Return an event stream of these bodies and keep-alives."""
    lines = [
        event.body
        if event is KEEP_ALIVE
        else f"event: x\nid: 1\ndata: {json.dumps(event.body)}\n\n"
        for event in events
    ]
    return CannedResponse(": a comment\n\n" + "".join(lines))

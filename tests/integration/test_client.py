"""The client of the API, against a server that answers as each test has it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from garimpo.cli.follow_job import warn_if_no_worker
from garimpo.client.client import Client
from garimpo.client.errors import (
    ApiRefusedError,
    ApiUnreachableError,
    NotTheApiError,
    UnknownJobError,
)
from garimpo.client.job_ref import JobRef
from garimpo.local_stack.system import find_free_port
from tests.support.scripted_api import Answer, ScriptedApi, run_scripted_api

WAITING = Answer({"job_id": "7", "status": "pending", "progress": 0, "retry_after_seconds": 0.25})
HALF = Answer({"job_id": "7", "status": "processing", "progress": 50, "retry_after_seconds": 3})
DONE = Answer({"job_id": "7", "status": "completed", "result": {"success": True}})
FAILED = Answer({"job_id": "7", "status": "failed", "error": "Não deu", "error_code": "x"})
CUT = Answer(cut=True)
JOB_7 = JobRef("tubehunt", "scrape-channels", "7")


def _away(**headers: str) -> Answer:
    body = {"detail": "Redis does not answer.", "error_code": "redis_unavailable"}
    return Answer(body, 503, {name.replace("_", "-"): value for name, value in headers.items()})


class Follower:
    """Follows job 7 and keeps what it has seen; its pauses take no time."""

    def __init__(self, patience_s: float = 300.0, *, live: bool = False) -> None:
        self.patience_s = patience_s
        self.live = live
        self.pauses: list[float] = []
        self.troubles: list[str] = []

    def follow(self, api: ScriptedApi) -> list[dict[str, Any]]:
        client = Client(api.url, patience_s=self.patience_s, pause=self.pauses.append)
        with client:
            return list(client.follow(JOB_7, self.troubles.append, live=self.live))


class TestStart:
    def test_posts_the_parameters_and_returns_the_body(self) -> None:
        with (
            run_scripted_api(Answer({"job_id": "7", "status": "pending"}, 202)) as api,
            Client(api.url + "/", language="pt") as client,
        ):
            body = client.start("tubehunt", "scrape-channels", {"pages": 2})
        assert body == {"job_id": "7", "status": "pending"}
        assert api.requests == [("POST", "/api/v1/tubehunt/scrape-channels/start")]
        assert api.bodies == [{"pages": 2}]
        assert api.languages == ["pt"]

    def test_passes_the_sentence_of_a_refusal_on(self) -> None:
        refusal = {"detail": "pages: must be at most 100", "error_code": "invalid_parameters"}
        with (
            run_scripted_api(Answer(refusal, 422)) as api,
            Client(api.url) as client,
            pytest.raises(ApiRefusedError) as caught,
        ):
            client.start("tubehunt", "scrape-channels")
        assert str(caught.value) == "pages: must be at most 100"
        assert (caught.value.status, caught.value.code) == (422, "invalid_parameters")

    @pytest.mark.parametrize("trouble", [_away(), CUT])
    def test_is_sent_again_under_the_same_key(self, trouble: Answer) -> None:
        pauses: list[float] = []
        with (
            run_scripted_api(trouble, trouble, Answer({"job_id": "7", "status": "pending"})) as api,
            Client(api.url, pause=pauses.append) as client,
        ):
            assert client.start("tubehunt", "scrape-channels")["job_id"] == "7"
        assert len(pauses) == 2
        assert len(api.keys) == 3
        assert len(set(api.keys)) == 1

    def test_has_a_key_of_its_own_each_time_or_that_of_the_caller(self) -> None:
        with (
            run_scripted_api(Answer({"job_id": "7", "status": "pending"})) as api,
            Client(api.url) as client,
        ):
            for key in (None, None, "order-4711"):
                client.start("tubehunt", "scrape-channels", idempotency_key=key)
        assert None not in api.keys
        assert len(set(api.keys)) == 3
        assert api.keys[2] == "order-4711"

    def test_is_given_up_when_the_api_cannot_serve(self) -> None:
        with (
            run_scripted_api(_away()) as api,
            Client(api.url, pause=lambda _: None) as client,
            pytest.raises(ApiUnreachableError, match="Redis does not answer") as caught,
        ):
            client.start("tubehunt", "scrape-channels")
        assert "make dev" not in str(caught.value), "it runs already"
        assert len(api.requests) == 3

    def test_says_where_nothing_answers_and_what_to_do(self) -> None:
        url = f"http://127.0.0.1:{find_free_port()}"
        with Client(url) as client, pytest.raises(ApiUnreachableError) as caught:
            client.start("tubehunt", "scrape-channels")
        assert url in str(caught.value)
        assert "make dev" in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["http://me:s3cret@127.0.0.1:9", "me:s3cret@127.0.0.1:9", "http://me:s3c/ret@host:x"]
    )
    def test_does_not_tell_a_password(self, url: str) -> None:
        with pytest.raises(ApiUnreachableError) as caught, Client(url) as client:
            client.start("tubehunt", "scrape-channels")
        assert "s3c" not in str(caught.value)

    def test_sends_the_password(self) -> None:
        with run_scripted_api(Answer({"job_id": "7", "status": "pending"})) as api:
            with Client(api.url.replace("//", "//me:s3cret@")) as client:
                client.start("tubehunt", "scrape-channels")
            assert client.url == api.url
            assert len(api.requests) == 1

    def test_takes_http_where_no_scheme_is_given(self) -> None:
        with (
            run_scripted_api(Answer({"job_id": "7", "status": "pending"})) as api,
            Client(api.url.removeprefix("http://")) as client,
        ):
            assert client.start("tubehunt", "scrape-channels")["job_id"] == "7"

    @pytest.mark.parametrize(
        "url", ["", "http://", "ftp://127.0.0.1", "http://[::1", "http://xn--a"]
    )
    def test_says_so_where_the_address_is_none(self, url: str) -> None:
        with pytest.raises(ApiUnreachableError, match="--url"), Client(url) as client:
            client.start("tubehunt", "scrape-channels")

    @pytest.mark.parametrize(
        "answer",
        [
            Answer("<html>"),
            Answer([]),
            Answer({"hello": "world"}),
            Answer({"hello": "world"}, 404),
            Answer("", 302, {"Location": "/elsewhere"}),
        ],
    )
    def test_notices_somebody_else(self, answer: Answer) -> None:
        with (
            run_scripted_api(answer) as api,
            Client(api.url) as client,
            pytest.raises(NotTheApiError, match="is not Garimpo's API"),
        ):
            client.start("tubehunt", "scrape-channels")

    def test_keeps_odd_names_inside_the_path(self) -> None:
        with (
            run_scripted_api(Answer({"detail": "no", "error_code": "x"}, 404)) as api,
            Client(api.url) as client,
            pytest.raises(UnknownJobError, match=r"has no job \.\./x y\?z"),
        ):
            client.start("../x", "y?z")
        assert api.requests[0] == ("POST", "/api/v1/..%2Fx/y%3Fz/start")

    def test_names_the_jobs_that_there_are(self) -> None:
        paths: dict[str, Any] = {
            "/api/health": {},
            "/api/v1/s/one/start": {},
            "/api/v1/s/one/result/{id}": {},
        }
        with (
            run_scripted_api(
                Answer({"detail": "no", "error_code": "not_found"}, 404), Answer({"paths": paths})
            ) as api,
            Client(api.url) as client,
            pytest.raises(UnknownJobError, match=r"It has: s one\."),
        ):
            client.start("s", "two")


class TestFind:
    @pytest.mark.parametrize("body", [{"status": "up"}, {"site": "s", "job": "j", "status": "up"}])
    def test_notices_somebody_else(self, body: dict[str, Any]) -> None:
        with (
            run_scripted_api(Answer(body)) as api,
            Client(api.url) as client,
            pytest.raises(NotTheApiError),
        ):
            client.find("7")


class TestFile:
    def test_may_take_longer_than_an_answer(self) -> None:
        with _run_slow_api() as url, Client(url, timeout_s=0.1) as client:
            with pytest.raises(ApiUnreachableError):
                client.find("7")
            pieces = client.download(JOB_7, format="xlsx")
            assert not isinstance(pieces, dict)
            assert b"".join(pieces) == b"a workbook"


@contextmanager
def _run_slow_api() -> Iterator[str]:
    """Serve a workbook that takes half a second."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            threading.Event().wait(0.5)
            with suppress(ConnectionError):  # the client waits no longer
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"a workbook")

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestHealth:
    def test_returns_the_body_of_an_unhealthy_api_too(self) -> None:
        with run_scripted_api(Answer({"status": "error"}, 503)) as api, Client(api.url) as client:
            assert client.health() == {"status": "error"}


class TestFollow:
    def test_yields_every_body_to_the_final_one(self) -> None:
        follower = Follower()
        with run_scripted_api(WAITING, HALF, DONE) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert len(api.requests) == 3

    def test_asks_again_when_the_body_says(self) -> None:
        follower = Follower()
        with run_scripted_api(WAITING, HALF, DONE) as api:
            follower.follow(api)
        assert follower.pauses == [0.25, 3]

    def test_ends_with_a_failed_job(self) -> None:
        with run_scripted_api(WAITING, FAILED) as api:
            assert Follower().follow(api)[-1] == FAILED.body

    @pytest.mark.parametrize("trouble", [_away(), CUT, Answer("Bad Gateway", 502)])
    def test_outlives(self, trouble: Answer) -> None:
        follower = Follower()
        with run_scripted_api(WAITING, trouble, trouble, HALF, trouble, DONE) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert len(follower.troubles) == 3

    def test_pauses_longer_and_longer_and_begins_anew_after_an_answer(self) -> None:
        follower = Follower()
        away = [_away()] * 7
        with run_scripted_api(*away, HALF, _away(), DONE) as api:
            follower.follow(api)
        assert follower.pauses == [0.5, 1, 2, 4, 8, 10, 10, 3, 0.5]

    def test_waits_as_long_as_a_retry_after_says(self) -> None:
        follower = Follower()
        with run_scripted_api(
            _away(Retry_After="7"),
            _away(Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
            Answer({"detail": "Slower.", "error_code": "rate_limited"}, 429, {"Retry-After": "9"}),
            DONE,
        ) as api:
            follower.follow(api)
        assert follower.pauses == [7, 1, 9]

    def test_gives_up_when_its_patience_ends(self) -> None:
        follower = Follower(patience_s=0.2)
        with run_scripted_api(_away()) as api, pytest.raises(ApiUnreachableError):
            follower.follow(api)
        assert len(api.requests) >= 2

    @pytest.mark.parametrize("status", [404, 410])
    def test_ends_at_once_with_a_result_that_is_not_there(self, status: int) -> None:
        gone = Answer({"detail": "No such result.", "error_code": "job_expired"}, status)
        with (
            run_scripted_api(WAITING, gone) as api,
            pytest.raises(ApiRefusedError, match="No such result"),
        ):
            Follower().follow(api)
        assert len(api.requests) == 2

    def test_lets_the_pause_end_the_wait(self) -> None:
        def refuse(_: float) -> None:
            raise KeyboardInterrupt

        with run_scripted_api(WAITING) as api, Client(api.url, pause=refuse) as client:
            bodies = client.follow(JOB_7)
            assert next(bodies) == WAITING.body
            with pytest.raises(KeyboardInterrupt):
                next(bodies)


class TestFollowLive:
    def test_yields_each_change_of_the_stream(self) -> None:
        follower = Follower(live=True)
        with run_scripted_api(_stream(WAITING, HALF, DONE)) as api:
            assert follower.follow(api) == [WAITING.body, HALF.body, DONE.body]
        assert api.requests == [("GET", "/api/v1/tubehunt/scrape-channels/events/7")]
        assert follower.pauses == []

    def test_goes_on_with_a_stream_that_has_broken_off(self) -> None:
        follower = Follower(live=True)
        with run_scripted_api(_stream(HALF), _stream(DONE)) as api:
            assert follower.follow(api) == [HALF.body, DONE.body]
        assert follower.pauses == [3], "no sooner than the body says"

    @pytest.mark.parametrize("nothing", [Answer(": held back"), CUT, Answer("", 502)])
    def test_asks_where_a_stream_gives_nothing(self, nothing: Answer) -> None:
        follower = Follower(live=True)
        with run_scripted_api(nothing, WAITING, DONE) as api:
            assert follower.follow(api) == [WAITING.body, DONE.body]
        assert [path.split("/")[-2] for _, path in api.requests] == ["events", "result", "result"]


def _stream(*answers: Answer) -> Answer:
    events = [f"event: x\nid: 1\ndata: {json.dumps(answer.body)}\n\n" for answer in answers]
    return Answer(": a comment\n\n" + "".join(events))


class TestHintAtNobody:
    @pytest.mark.parametrize(
        ("status", "alive", "hints"), [("pending", 0, 1), ("pending", 1, 0), ("processing", 0, 0)]
    )
    def test_comes_once_while_the_job_waits_and_no_worker_is_alive(
        self, status: str, alive: int, hints: int
    ) -> None:
        told: list[str] = []
        health = Answer({"status": "x", "workers_alive": alive})
        with (
            run_scripted_api(health) as api,
            Client(api.url) as client,
            warn_if_no_worker(client, told.append, every_s=0.02) as see,
        ):
            see({"status": status})
            threading.Event().wait(0.5)
        assert len(told) == hints
        assert bool(api.requests) == (status == "pending"), "health is asked only if it waits"

    def test_does_not_mind_an_api_that_is_away(self) -> None:
        told: list[str] = []
        with (
            run_scripted_api(CUT) as api,
            Client(api.url) as client,
            warn_if_no_worker(client, told.append, every_s=0.02) as see,
        ):
            see({"status": "pending"})
            threading.Event().wait(0.3)
        assert told == []
        assert len(api.requests) > 1, "it asks on"

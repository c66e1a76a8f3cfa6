import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scraper.browser.network_log import NetworkLog, parse_retry_after

FRAME = "F"
PAGE = "http://x/?page=1"
API = "http://x/api"
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def entry(method: str, **params: Any) -> dict[str, Any]:
    return {"message": json.dumps({"message": {"method": method, "params": params}})}


def requested(
    request: str, kind: str = "Fetch", loader: str = "D", url: str = API, **changes: str
) -> dict[str, Any]:
    return entry(
        "Network.requestWillBeSent",
        requestId=request,
        loaderId=loader,
        frameId=changes.get("frame", FRAME),
        type=kind,
        request={"url": url, "method": "GET", "postData": changes.get("body", "")},
    )


def document(request: str = "D", frame: str = FRAME) -> dict[str, Any]:
    return requested(request, "Document", loader=request, frame=frame, url=PAGE)


def answered(
    request: str, status: int = 200, headers: dict[str, str] | None = None, url: str = API
) -> dict[str, Any]:
    response = {"url": url, "status": status, "headers": headers or {}}
    return entry("Network.responseReceived", requestId=request, type="x", response=response)


def finished(request: str) -> dict[str, Any]:
    return entry("Network.loadingFinished", requestId=request)


def failed(request: str, error: str, *, canceled: bool = False) -> dict[str, Any]:
    return entry(
        "Network.loadingFailed", requestId=request, errorText=f"net::{error}", canceled=canceled
    )


def received(request: str, size: int) -> dict[str, Any]:
    return entry("Network.dataReceived", requestId=request, dataLength=size)


def log_of(*entries: dict[str, Any]) -> NetworkLog:
    log = NetworkLog(FRAME)
    log.feed(entries)
    return log


class TestRetryAfter:
    @pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
    def test_ignores_the_case_of_the_header(self, name: str) -> None:
        log = log_of(document(), answered("D", 503, {name: "7"}, PAGE))

        assert log.retry_after(PAGE + "#top", 503, NOW) == 7

    def test_reads_the_latest_document_of_the_page_itself(self) -> None:
        log = log_of(
            document("A"),
            answered("A", 503, {"Retry-After": "1"}, PAGE),
            document("D"),
            answered("D", 503, {"Retry-After": "2"}, PAGE),
            requested("I", "Image"),
            answered("I", 503, {"Retry-After": "4"}, PAGE),
            document("E", frame="frame in the page"),
            answered("E", 503, {"Retry-After": "6"}, PAGE),
        )

        assert log.retry_after(PAGE + "#top", 503, NOW) == 2

    @pytest.mark.parametrize(
        ("date", "expected"), [("Thu, 01 Jan 2026 10:59:30 GMT", 30), ("yesterday", 0)]
    )
    def test_is_by_the_clock_of_the_site(self, date: str, expected: float) -> None:
        headers = {"Retry-After": "Thu, 01 Jan 2026 11:00:00 GMT", "Date": date}
        log = log_of(document(), answered("D", 503, headers, PAGE))

        assert log.retry_after(PAGE, 503, NOW) == expected

    @pytest.mark.parametrize(
        "entries",
        [
            [],
            [document(), answered("D", 503, {}, PAGE)],
            [document(), answered("D", 200, {"Retry-After": "1"}, PAGE)],
            [document(), answered("D", 503, {"Retry-After": "1"}, "http://x/other")],
        ],
    )
    def test_is_none_without_the_header(self, entries: list[dict[str, Any]]) -> None:
        assert log_of(*entries).retry_after(PAGE, 503, NOW) is None


class TestScriptRequests:
    def test_are_pending_until_they_end(self) -> None:
        log = log_of(
            document(),
            requested("1", url="http://x/1"),
            requested("2", "XHR", url="http://x/2"),
            requested("3", url="http://x/3"),
            answered("2"),
            finished("1"),
            failed("3", "ERR_FAILED"),
        )

        assert list(log.pending) == ["2"]

    def test_have_not_failed_if_the_same_has_succeeded_later(self) -> None:
        log = log_of(
            document(),
            requested("1", url=f"{API}?try=1"),
            answered("1", 500),
            requested("2", url=f"{API}?try=2"),
            answered("2"),
        )

        assert log.failures == []

    def test_do_not_count_if_they_are_not_the_documents(self) -> None:
        log = log_of(
            document("A"),
            requested("1", loader="A"),
            document("D"),
            requested("2", loader="A"),
            requested("3", frame="frame in the page"),
            requested("4", "EventSource"),
            requested("5", "Image"),
        )

        assert log.pending == {}

    def test_count_although_the_document_was_redirected(self) -> None:
        log = log_of(document(), document(), requested("1"))

        assert list(log.pending) == ["1"]

    def test_have_failed_with_a_status_or_an_error(self) -> None:
        log = log_of(
            document(),
            requested("1", url=f"{API}?first"),
            answered("1", 500),
            requested("2", "XHR", body="x"),
            failed("2", "ERR_CONNECTION_RESET"),
            requested("3", body="y"),
            failed("3", "ERR_ABORTED", canceled=True),
            requested("4", "Script", url="http://x/a.js"),
            answered("4", 404),
        )

        assert [failure.url for failure in log.failures] == [f"{API}?first", API]
        assert [failure.reason for failure in log.failures] == ["HTTP 500", "ERR_CONNECTION_RESET"]


def answers_of(*entries: dict[str, Any]) -> NetworkLog:
    log = NetworkLog(FRAME)
    log.keeps_answer = lambda url: "/api" in url
    log.feed([document(), *entries])
    return log


class TestAnswers:
    def test_are_kept_in_the_order_of_their_ends(self) -> None:
        log = answers_of(
            requested("1", url=f"{API}?1"),
            requested("2", "XHR", url=f"{API}?2"),
            requested("3", url="http://x/other"),
            answered("1"),
            answered("2"),
            received("2", 7),
            received("2", 5),
            finished("2"),
            finished("3"),
            finished("1"),
        )

        assert [(answer.id, answer.size) for answer in log.answers] == [("2", 12), ("1", 0)]
        assert log.pending_answers == {}

    def test_are_pending_until_their_end(self) -> None:
        log = answers_of(requested("1"), answered("1"), received("1", 7))

        assert list(log.pending_answers) == ["1"]
        assert log.answers == []

    def test_are_not_kept_unless_they_are_asked_for(self) -> None:
        log = log_of(document(), requested("1"), answered("1"), received("1", 7), finished("1"))

        assert (log.answers, log.pending_answers) == ([], {})

    def test_to_the_same_request_take_the_place_of_the_earlier_one(self) -> None:
        log = answers_of(
            requested("1"),
            answered("1", 500),
            finished("1"),
            requested("2", url=f"{API}?2"),
            answered("2"),
            finished("2"),
            requested("3"),
            answered("3"),
            finished("3"),
        )

        assert [(answer.id, answer.failure) for answer in log.answers] == [("3", None), ("2", None)]

    def test_have_failed_although_another_request_has_succeeded(self) -> None:
        log = answers_of(
            requested("1", url=f"{API}?1"),
            answered("1", 500),
            finished("1"),
            requested("2", url=f"{API}?2"),
            answered("2"),
            finished("2"),
            requested("3", body="x"),
            failed("3", "ERR_FAILED"),
        )

        failures = [answer.failure and answer.failure.reason for answer in log.answers]
        assert failures == ["HTTP 500", None, "ERR_FAILED"]

    def test_without_content_do_not_count(self) -> None:
        log = answers_of(
            requested("1"),
            answered("1", 204),
            finished("1"),
            requested("2"),
            failed("2", "ERR_ABORTED", canceled=True),
        )

        assert (log.answers, log.pending_answers) == ([], {})

    def test_to_bodies_that_are_not_known_are_different(self) -> None:
        def post(request: str) -> dict[str, Any]:
            details = {"url": API, "method": "POST", "hasPostData": True}
            ids = {"requestId": request, "loaderId": "D", "frameId": FRAME}
            return entry("Network.requestWillBeSent", **ids, type="Fetch", request=details)

        log = answers_of(post("1"), finished("1"), post("2"), finished("2"))

        assert [answer.id for answer in log.answers] == ["1", "2"]

    def test_are_those_of_the_latest_document(self) -> None:
        log = answers_of(requested("1"), answered("1"), finished("1"), document("E"))

        assert log.answers == []

    def test_are_counted(self) -> None:
        many = [requested(str(number), url=f"{API}?{number}") for number in range(1001)]

        assert not answers_of(*many[:1000]).has_too_many_answers
        assert answers_of(*many).has_too_many_answers


class TestDocument:
    def test_reports_why_it_was_cut_off(self) -> None:
        log = log_of(document(), answered("D"), failed("D", "ERR_CONTENT_LENGTH_MISMATCH"))

        assert log.load_error == "ERR_CONTENT_LENGTH_MISMATCH"

    def test_ignores_one_that_another_has_replaced(self) -> None:
        log = log_of(document("A"), document("D"), failed("A", "ERR_ABORTED", canceled=True))

        assert log.load_error == ""

    def test_recognizes_a_download(self) -> None:
        download = {"frameId": FRAME, "suggestedFilename": "a.csv", "url": PAGE}
        began = entry("Page.downloadWillBegin", **download)
        aborted = failed("D", "ERR_ABORTED", canceled=True)

        assert log_of(document(), answered("D"), aborted, began).download == "a.csv"
        assert log_of(document(), answered("D"), began).download == "", "a page has started it"

    def test_keeps_the_texts_of_dialogs(self) -> None:
        opening = entry("Page.javascriptDialogOpening", message="Senha incorreta")

        assert log_of(document("A"), opening, document("D")).dialogs == ["Senha incorreta"]


class TestParseRetryAfter:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("0", 0),
            (" 120 ", 120),
            ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
            ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("²", None),
            ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
            ("Thu, 01 Jan 2026 12:00:30 +99999999999", None),
        ],
    )
    def test_returns_seconds_or_none(self, value: str, expected: float | None) -> None:
        assert parse_retry_after(value, NOW) == expected


class TestBounds:
    def test_leave_out_long_entries(self) -> None:
        log = log_of(document(), requested("1", url=f"data:,{'x' * 300_000}"), requested("2"))

        assert list(log.pending) == ["2"]

    def test_cut_long_texts(self) -> None:
        long = f"{API}?{'x' * 100_000}"
        alert = entry("Page.javascriptDialogOpening", message="x" * 100_000)

        log = log_of(document(), requested("1", url=long), alert)

        assert log.pending["1"].url == long[:8000]
        assert log.dialogs == ["x" * 500]

    def test_keep_a_part_of_very_many_entries(self) -> None:
        alert = entry("Page.javascriptDialogOpening", message="x")
        requests = [requested(str(number)) for number in range(6000)]
        failures = [failed(str(number), "ERR_FAILED") for number in range(1000)]

        log = log_of(document(), *requests, *failures, *[alert] * 100)

        assert len(log.pending) <= 5000
        assert len(log.failures) == 500
        assert len(log.dialogs) == 20

"""`garimpo run` against a server with prepared responses."""

import json
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from garimpo.local_stack.system import find_free_port
from tests.integration.command_line import garimpo, run_garimpo
from tests.support.scripted_api import CannedResponse, run_scripted_api

_RUN = ("run", "tubehunt", "scrape-channels")
STARTED = CannedResponse({"job_id": "7", "status": "pending", "message": "Job queued"}, 202)
WAITING = CannedResponse(
    {
        "job_id": "7",
        "status": "processing",
        "progress": 40,
        "message": "Extracting channels... \x1b[2J20/50 done",
        "retry_after_seconds": 0.05,
    }
)
RESULT = {"success": True, "channels": [{"channel_name": "São João"}], "total_channels": 1}
DONE = CannedResponse({"job_id": "7", "status": "completed", "result": RESULT})
FAILED = CannedResponse(
    {
        "job_id": "7",
        "status": "failed",
        "error": "The login failed: wrong password",
        "error_code": "login_failed",
    }
)


def _run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_garimpo(folder, *_RUN, *arguments, **environment)


class TestRun:
    def test_prints_only_the_result_to_stdout(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, WAITING, DONE) as api:
            done = _run(tmp_path, "--url", api.url, "--param", "pages=2", "--param", "order_by=A")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == RESULT
        assert "São João" in done.stdout
        assert api.bodies == [{"pages": 2, "order_by": "A"}]

    def test_shows_each_message_once_as_a_plain_line(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, WAITING, DONE) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.stderr.splitlines() == [
            "  0% Job queued",
            " 40% Extracting channels...  [2J20/50 done",
        ]

    def test_writes_the_result_to_a_file(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, DONE) as api:
            done = _run(tmp_path, "--output", "result.json", GARIMPO_URL=api.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert "result.json" in done.stderr
        assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == RESULT

    def test_exits_with_1_and_the_error_of_a_failed_job(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, FAILED) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.returncode == 1
        assert done.stdout == ""
        last = done.stderr.splitlines()[-1]
        assert last == "The login failed: wrong password [login_failed]"

    @pytest.mark.parametrize(("end", "status"), [(DONE, 0), (FAILED, 1)])
    def test_prints_the_complete_response_as_json(
        self, tmp_path: Path, end: CannedResponse, status: int
    ) -> None:
        with run_scripted_api(STARTED, end) as api:
            done = _run(tmp_path, "--url", api.url, "--json")
        assert (done.returncode, json.loads(done.stdout)) == (status, end.body)

    def test_prints_an_error_response_as_json(self, tmp_path: Path) -> None:
        error = CannedResponse(
            {"detail": "pages: at most 100", "error_code": "invalid_parameters"}, 422
        )
        with run_scripted_api(error) as api:
            done = _run(tmp_path, "--url", api.url, "--json")
        assert (done.returncode, json.loads(done.stdout)) == (2, error.body)

    def test_sends_the_given_key_and_language(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, DONE) as api:
            _run(tmp_path, "--url", api.url, "--key", "order-4711", "--language", "pt")
            _run(tmp_path, "--url", api.url, GARIMPO_LANGUAGE="pt", LANG="C")
        assert api.keys[0] == "order-4711"
        assert set(api.languages) == {"pt"}

    def test_exits_with_2_and_the_message_of_an_error_response(self, tmp_path: Path) -> None:
        error = CannedResponse(
            {"detail": "pages: at most 100", "error_code": "invalid_parameters"}, 422
        )
        with run_scripted_api(error) as api:
            done = _run(tmp_path, "--url", api.url, "--param", "pages=900")
        assert (done.returncode, done.stderr) == (2, "pages: at most 100\n")

    def test_exits_with_2_if_the_api_cannot_be_reached(self, tmp_path: Path) -> None:
        done = _run(tmp_path, "--url", f"http://127.0.0.1:{find_free_port()}")
        assert done.returncode == 2
        assert "make dev" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--param", "pages"], "expected name=value"),
            (["--output", "no/such/folder.json"], "no such folder"),
            (["--outptu", "x"], "No such option"),
            (["--language", "fr"], "GARIMPO_LANGUAGE"),
        ],
    )
    def test_exits_with_2_without_a_request_after_a_usage_error(
        self, tmp_path: Path, arguments: list[str], message: str
    ) -> None:
        with run_scripted_api(STARTED, DONE) as api:
            done = _run(tmp_path, "--url", api.url, *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert api.requests == []

    def test_warns_once_if_no_worker_is_running(self, tmp_path: Path) -> None:
        status = {"status": "pending", "workers_alive": 0, "retry_after_seconds": 0.05}
        pending = [
            CannedResponse(STARTED.body | status | {"elapsed_seconds": elapsed_s})
            for elapsed_s in (5, 12, 19)
        ]
        with run_scripted_api(STARTED, *pending, DONE) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        assert lines[0] == "  0% Job queued"
        assert lines[1].startswith("No worker is running")
        assert len(lines) == 2

    def test_shows_the_version(self, tmp_path: Path) -> None:
        done = run_garimpo(tmp_path, "--version")
        assert (done.returncode, done.stdout) == (0, f"garimpo {version('garimpo')}\n")

    def test_continues_after_an_outage_of_the_api(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, CannedResponse(cut=True), DONE) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.returncode == 0, done.stderr
        assert "retrying" in done.stderr

    def test_names_the_command_that_follows_the_job_after_ctrl_c(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING) as api:
            process = subprocess.Popen(
                garimpo(*_RUN, "--url", api.url), stderr=subprocess.PIPE, cwd=tmp_path, text=True
            )
            with process:
                assert process.stderr is not None
                while "Extracting" not in process.stderr.readline():
                    assert process.poll() is None
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "garimpo watch 7" in err
        assert "Traceback" not in err

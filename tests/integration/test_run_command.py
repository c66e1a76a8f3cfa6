"""`garimpo run` as a user starts it, against a server that answers as each test has it."""

import json
import signal
import subprocess
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from garimpo.local_stack.system import find_free_port
from tests.integration.command_line import garimpo, run_garimpo
from tests.support.scripted_api import Answer, run_scripted_api

_RUN = ("run", "tubehunt", "scrape-channels")
STARTED = Answer({"job_id": "7", "status": "pending", "message": "Job queued"}, 202)
WAITING = Answer(
    {
        "job_id": "7",
        "status": "processing",
        "progress": 40,
        "message": "Extracting channels... \x1b[2J20/50 done",
        "retry_after_seconds": 0.05,
    }
)
RESULT = {"success": True, "channels": [{"channel_name": "São João"}], "total_channels": 1}
DONE = Answer({"job_id": "7", "status": "completed", "result": RESULT})
FAILED = Answer(
    {
        "job_id": "7",
        "status": "failed",
        "error": "The login failed: wrong password",
        "error_code": "login_failed",
    }
)


def _run(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_garimpo(folder, *_RUN, *words, **environment)


class TestRun:
    def test_prints_the_result_and_nothing_else_on_stdout(self, tmp_path: Path) -> None:
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

    def test_ends_with_1_and_the_error_of_a_failed_job(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, FAILED) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.returncode == 1
        assert done.stdout == ""
        last = done.stderr.splitlines()[-1]
        assert last == "The login failed: wrong password [login_failed]"

    @pytest.mark.parametrize(("end", "status"), [(DONE, 0), (FAILED, 1)])
    def test_prints_the_whole_answer_as_json(
        self, tmp_path: Path, end: Answer, status: int
    ) -> None:
        with run_scripted_api(STARTED, end) as api:
            done = _run(tmp_path, "--url", api.url, "--json")
        assert (done.returncode, json.loads(done.stdout)) == (status, end.body)

    def test_tells_a_refusal_as_json_too(self, tmp_path: Path) -> None:
        refusal = Answer({"detail": "pages: at most 100", "error_code": "invalid_parameters"}, 422)
        with run_scripted_api(refusal) as api:
            done = _run(tmp_path, "--url", api.url, "--json")
        assert (done.returncode, json.loads(done.stdout)) == (2, refusal.body)

    def test_sends_the_key_and_the_language_that_it_is_given(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, DONE) as api:
            _run(tmp_path, "--url", api.url, "--key", "order-4711", "--language", "pt")
            _run(tmp_path, "--url", api.url, GARIMPO_LANGUAGE="pt", LANG="C")
        assert api.keys[0] == "order-4711"
        assert set(api.languages) == {"pt"}

    def test_ends_with_2_and_the_sentence_of_a_refusal(self, tmp_path: Path) -> None:
        refusal = Answer({"detail": "pages: at most 100", "error_code": "invalid_parameters"}, 422)
        with run_scripted_api(refusal) as api:
            done = _run(tmp_path, "--url", api.url, "--param", "pages=900")
        assert (done.returncode, done.stderr) == (2, "pages: at most 100\n")

    def test_ends_with_2_and_what_to_do_where_no_api_is(self, tmp_path: Path) -> None:
        done = _run(tmp_path, "--url", f"http://127.0.0.1:{find_free_port()}")
        assert done.returncode == 2
        assert "make dev" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["--param", "pages"], "write it as name=value"),
            (["--output", "no/such/folder.json"], "no such folder"),
            (["--outptu", "x"], "No such option"),
            (["--language", "fr"], "GARIMPO_LANGUAGE"),
        ],
    )
    def test_ends_with_2_without_a_request_after_bad_usage(
        self, tmp_path: Path, words: list[str], complaint: str
    ) -> None:
        with run_scripted_api(STARTED, DONE) as api:
            done = _run(tmp_path, "--url", api.url, *words)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert api.requests == []

    def test_hints_once_at_workers_that_are_not_there(self, tmp_path: Path) -> None:
        # The same answer does for the job and for the API's health.
        nobody = Answer(STARTED.body | {"workers_alive": 0, "retry_after_seconds": 0.5})
        with run_scripted_api(STARTED, nobody) as api:
            command = garimpo(*_RUN, "--url", api.url)
            with subprocess.Popen(
                command, stderr=subprocess.PIPE, cwd=tmp_path, text=True
            ) as process:
                assert process.stderr is not None
                guard = threading.Timer(60, process.kill)
                guard.start()
                lines = [process.stderr.readline(), process.stderr.readline()]
                guard.cancel()
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
        assert lines[0] == "  0% Job queued\n"
        assert lines[1].startswith("No worker is alive")
        assert "No worker" not in said

    def test_has_a_version(self, tmp_path: Path) -> None:
        done = run_garimpo(tmp_path, "--version")
        assert (done.returncode, done.stdout) == (0, f"garimpo {version('garimpo')}\n")

    def test_outlives_an_api_that_is_away(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING, Answer(cut=True), DONE) as api:
            done = _run(tmp_path, "--url", api.url)
        assert done.returncode == 0, done.stderr
        assert "asking again" in done.stderr

    def test_says_where_the_result_will_be_after_ctrl_c(self, tmp_path: Path) -> None:
        with run_scripted_api(STARTED, WAITING) as api:
            process = subprocess.Popen(
                garimpo(*_RUN, "--url", api.url), stderr=subprocess.PIPE, cwd=tmp_path, text=True
            )
            with process:
                assert process.stderr is not None
                while "Extracting" not in process.stderr.readline():
                    assert process.poll() is None
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "garimpo watch 7" in said
        assert "Traceback" not in said

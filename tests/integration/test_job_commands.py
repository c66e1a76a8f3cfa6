"""`garimpo watch`, `result`, `jobs` and `cancel` against the real stack."""

import csv
import io
import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from rich.console import Console

from garimpo.commands.jobs import make_jobs_table
from garimpo.local_stack.process import Process
from tests.integration.command_line import garimpo, run_garimpo
from tests.integration.services import Services, run_job

PATH = "/api/v1/tubehunt/scrape-channels"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    """Run one worker for this module's tests."""
    return services.stack.worker()


@pytest.fixture(scope="module")
def job_id(services: Services, worker: Process) -> str:
    """Run a job of ten channels; return its id."""
    assert worker.is_alive
    return run_job(services, {"per_page": 10}).job_id


@pytest.fixture
def pending(worker: Process, api: httpx.Client) -> Any:
    """Start a job while the worker is stopped; yield its id, cancel it afterwards."""
    worker.signal(19)
    job_id = api.post(f"{PATH}/start", json={"per_page": 10}).json()["job_id"]
    yield job_id
    api.post(f"{PATH}/cancel/{job_id}")
    worker.signal(18)


@pytest.fixture
def run(services: Services, tmp_path: Path) -> Any:
    """Return a function that runs a command against the stack."""

    def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_garimpo(
            tmp_path, *arguments, GARIMPO_URL=services.api.url, GARIMPO_LANGUAGE="en"
        )

    return _run


class TestResult:
    def test_prints_the_result_as_json(self, run: Any, job_id: str) -> None:
        done = run("result", job_id)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["total_channels"] == 10

    def test_prints_the_complete_response_as_json(self, run: Any, job_id: str) -> None:
        assert json.loads(run("result", job_id, "--json").stdout)["job_id"] == job_id

    def test_prints_csv_with_the_separator(self, run: Any, job_id: str) -> None:
        done = run("result", job_id, "--format", "csv", "--separator", "semicolon")
        rows = list(csv.DictReader(io.StringIO(done.stdout.lstrip("\ufeff")), delimiter=";"))
        assert len(rows) == 10
        assert rows[0]["channel_name"] == "Lately Fashionable"

    def test_writes_the_format_of_the_file_extension(
        self, run: Any, job_id: str, tmp_path: Path
    ) -> None:
        done = run("result", job_id, "--output", "channels.xlsx")
        assert done.returncode == 0, done.stderr
        [sheet] = openpyxl.load_workbook(tmp_path / "channels.xlsx").worksheets
        assert sheet.max_row == 11
        assert [file.name for file in tmp_path.iterdir()] == ["channels.xlsx"]

    def test_names_a_file_that_cannot_be_written(self, run: Any, job_id: str) -> None:
        done = run("result", job_id, "--output", "/proc/result.json")
        assert done.returncode == 2
        assert "--output /proc/result.json" in done.stderr
        assert "Traceback" not in done.stderr

    def test_writes_json_for_an_unknown_extension(
        self, run: Any, job_id: str, tmp_path: Path
    ) -> None:
        assert "rows.foo as JSON" in run("result", job_id, "--output", "rows.foo").stderr
        assert json.loads((tmp_path / "rows.foo").read_text(encoding="utf-8"))["success"] is True

    @pytest.mark.parametrize("command", ["result", "result --json", "result --format xlsx", "jobs"])
    @pytest.mark.parametrize(
        ("redirection", "reason"),
        [
            (">/dev/full", "No space left on device"),
            (">&-", "it is closed"),
            ("| true", "Broken pipe"),
        ],
    )
    def test_fails_if_stdout_cannot_be_written(
        self, services: Services, job_id: str, *, command: str, redirection: str, reason: str
    ) -> None:
        arguments = command.replace("result", f"result {job_id}").split()
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {shlex.join(garimpo(*arguments))} {redirection}"],
            env=os.environ | {"GARIMPO_URL": services.api.url},
            cwd=services.stack.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (2, f"Cannot write to stdout: {reason}.\n")

    def test_exits_with_3_without_a_result(self, run: Any, pending: str) -> None:
        done = run("result", pending, "--format", "csv")
        assert (done.returncode, done.stdout) == (3, "")
        assert "number 1 in the queue" in done.stderr
        assert f"garimpo watch {pending}" in done.stderr

    def test_exits_with_2_for_an_unknown_id(self, run: Any) -> None:
        done = run("result", UNKNOWN_ID)
        assert (done.returncode, done.stdout) == (2, "")
        assert "garimpo jobs" in done.stderr

    def test_rejects_json_with_another_format(self, run: Any, job_id: str) -> None:
        assert run("result", job_id, "--json", "--format", "csv").returncode == 2


class TestWatch:
    def test_follows_a_job_to_its_end(
        self, services: Services, worker: Process, pending: str, tmp_path: Path
    ) -> None:
        arguments = ("watch", pending, "--url", services.api.url, "--language", "en")
        with subprocess.Popen(
            garimpo(*arguments), stderr=subprocess.PIPE, cwd=tmp_path, text=True
        ) as watch:
            assert watch.stderr is not None
            first = watch.stderr.readline()
            worker.signal(18)
            _, err = watch.communicate(timeout=90)
        assert first == "  0% Job queued\n"
        assert watch.returncode == 0, err
        assert "Extracting channels... 10/10 done" in err
        assert f"garimpo result {pending}" in err.splitlines()[-1]

    def test_prints_each_change_as_a_line_of_json(self, run: Any, job_id: str) -> None:
        lines = run("watch", job_id, "--json").stdout.splitlines()
        assert [json.loads(line)["status"] for line in lines] == ["completed"]

    def test_exits_with_1_for_a_failed_job(self, run: Any, pending: str, api: httpx.Client) -> None:
        api.post(f"{PATH}/cancel/{pending}")
        done = run("watch", pending)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith("[cancelled]")


class TestCancel:
    def test_cancels_a_pending_job_once(self, run: Any, pending: str, api: httpx.Client) -> None:
        done = run("cancel", pending, "--json")
        assert (done.returncode, json.loads(done.stdout)["error_code"]) == (0, "cancelled")
        assert api.get(f"{PATH}/result/{pending}").json()["error_code"] == "cancelled"

        repeated = run("cancel", pending)

        assert repeated.returncode == 2
        assert "ended" in repeated.stderr


class TestJobs:
    def test_lists_the_newest_first(self, run: Any, job_id: str, pending: str) -> None:
        lines = run("jobs").stdout.splitlines()
        assert lines[1].startswith(pending)
        assert "pending" in lines[1]
        assert any(line.startswith(job_id) and "completed" in line for line in lines)
        assert not any("…" in line for line in lines)

    @pytest.mark.parametrize("width", [60, 80])
    def test_shows_the_status_in_a_narrow_terminal(
        self, capsys: pytest.CaptureFixture[str], width: int
    ) -> None:
        job = {
            "job_id": UNKNOWN_ID,
            "site": "tubehunt",
            "job": "scrape-channels",
            "created_at": "2026-01-01T22:00:00.000000+00:00",
            "status": "processing",
            "progress": 100,
            "message": "Extracting channels... 10/10 done",
        }
        Console(width=width, force_terminal=True, color_system=None).print(
            make_jobs_table([job], framed=True)
        )
        assert capsys.readouterr().out.splitlines()[1].split()[:3] == [
            UNKNOWN_ID,
            "processing",
            "100",
        ]

    def test_filters_and_prints_json(self, run: Any, job_id: str, pending: str) -> None:
        filters = ("--site", "tubehunt", "--job", "scrape-channels", "--status", "pending")
        listed = json.loads(run("jobs", *filters, "--json").stdout)
        assert [job["job_id"] for job in listed["jobs"]] == [pending]
        assert job_id != pending
        assert json.loads(run("jobs", "--limit", "1", "--json").stdout)["next_cursor"]


class TestCompletion:
    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("run t", "tubehunt"),
            ("run tubehunt s", "scrape-channels"),
            ("check tubehunt ", "scrape"),
        ],
    )
    def test_offers_names(
        self, services: Services, tmp_path: Path, typed: str, offered: str
    ) -> None:
        assert offered in _complete(services, tmp_path, typed)

    def test_offers_ids(self, services: Services, tmp_path: Path, job_id: str) -> None:
        assert job_id in _complete(services, tmp_path, f"result {job_id[:8]}")

    def test_is_silent_without_an_api(self, services: Services, tmp_path: Path) -> None:
        assert services.api.is_alive
        assert _complete(None, tmp_path, "run t") == ""

    def test_is_silent_with_an_invalid_setting(self, services: Services, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"TUBEHUNT_PASSWORD=\xe9")
        for typed in ("run t", "result 1"):
            done = _press_tab(services, tmp_path, typed)
            assert (done.stdout.strip(), done.stderr) == ("", "")


def _complete(services: Services | None, folder: Path, typed: str) -> str:
    """Return the completions of a command line."""
    return _press_tab(services, folder, typed).stdout.strip()


def _press_tab(
    services: Services | None, folder: Path, typed: str
) -> "subprocess.CompletedProcess[str]":
    """Request completions as bash does when Tab is pressed after `garimpo` and `typed`."""
    command_line = f"garimpo {typed}"
    return run_garimpo(
        folder,
        GARIMPO_URL=services.api.url if services else "http://127.0.0.1:9",
        _GARIMPO_COMPLETE="complete_bash",
        COMP_WORDS=command_line,
        COMP_CWORD=str(len(command_line.split(" ")) - 1),
    )

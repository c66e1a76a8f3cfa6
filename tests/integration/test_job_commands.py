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

from garimpo.commands.jobs import draw
from garimpo.local_stack.process import Process
from tests.integration.command_line import garimpo, run_garimpo
from tests.integration.services import Services, run_job

PATH = "/api/v1/tubehunt/scrape-channels"
NEVER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    """Run one worker for this module's tests."""
    return services.stack.worker()


@pytest.fixture(scope="module")
def job_id(services: Services, worker: Process) -> str:
    """Have a job of ten channels that is completed."""
    assert worker.is_alive
    return run_job(services, {"per_page": 10}).job_id


@pytest.fixture
def waiting(worker: Process, api: httpx.Client) -> Any:
    """Have a job that no worker takes; cancelled afterwards."""
    worker.signal(19)
    job_id = api.post(f"{PATH}/start", json={"per_page": 10}).json()["job_id"]
    yield job_id
    api.post(f"{PATH}/cancel/{job_id}")
    worker.signal(18)


@pytest.fixture
def run(services: Services, tmp_path: Path) -> Any:
    """Run a command against the stack."""

    def _run(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_garimpo(tmp_path, *words, GARIMPO_URL=services.api.url, GARIMPO_LANGUAGE="en")

    return _run


class TestResult:
    def test_prints_the_result_as_json(self, run: Any, job_id: str) -> None:
        done = run("result", job_id)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["total_channels"] == 10

    def test_prints_the_whole_answer_as_json(self, run: Any, job_id: str) -> None:
        assert json.loads(run("result", job_id, "--json").stdout)["job_id"] == job_id

    def test_prints_csv_with_the_separator(self, run: Any, job_id: str) -> None:
        done = run("result", job_id, "--format", "csv", "--separator", "semicolon")
        rows = list(csv.DictReader(io.StringIO(done.stdout.lstrip("\ufeff")), delimiter=";"))
        assert len(rows) == 10
        assert rows[0]["channel_name"] == "Lately Fashionable"

    def test_writes_the_kind_of_file_that_its_name_says(
        self, run: Any, job_id: str, tmp_path: Path
    ) -> None:
        done = run("result", job_id, "--output", "channels.xlsx")
        assert done.returncode == 0, done.stderr
        [sheet] = openpyxl.load_workbook(tmp_path / "channels.xlsx").worksheets
        assert sheet.max_row == 11
        assert [file.name for file in tmp_path.iterdir()] == ["channels.xlsx"]

    def test_says_why_a_file_cannot_be_written(self, run: Any, job_id: str) -> None:
        done = run("result", job_id, "--output", "/proc/result.json")
        assert done.returncode == 2
        assert "--output /proc/result.json" in done.stderr
        assert "Traceback" not in done.stderr

    def test_says_that_an_unknown_ending_is_written_as_json(
        self, run: Any, job_id: str, tmp_path: Path
    ) -> None:
        assert "rows.foo, as JSON" in run("result", job_id, "--output", "rows.foo").stderr
        assert json.loads((tmp_path / "rows.foo").read_text(encoding="utf-8"))["success"] is True

    @pytest.mark.parametrize("what", ["result", "result --json", "result --format xlsx", "jobs"])
    @pytest.mark.parametrize(
        ("where", "why"),
        [
            (">/dev/full", "No space left on device"),
            (">&-", "it is closed"),
            ("| true", "Broken pipe"),
        ],
    )
    def test_says_that_stdout_cannot_be_written(
        self, services: Services, job_id: str, *, what: str, where: str, why: str
    ) -> None:
        words = what.replace("result", f"result {job_id}").split()
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {shlex.join(garimpo(*words))} {where}"],
            env=os.environ | {"GARIMPO_URL": services.api.url},
            cwd=services.stack.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (2, f"stdout cannot be written: {why}.\n")

    def test_ends_with_3_while_there_is_none(self, run: Any, waiting: str) -> None:
        done = run("result", waiting, "--format", "csv")
        assert (done.returncode, done.stdout) == (3, "")
        assert "number 1 in the queue" in done.stderr
        assert f"garimpo watch {waiting}" in done.stderr

    def test_ends_with_2_and_what_to_do_for_an_unknown_id(self, run: Any) -> None:
        done = run("result", NEVER)
        assert (done.returncode, done.stdout) == (2, "")
        assert "garimpo jobs" in done.stderr

    def test_refuses_two_forms_at_once(self, run: Any, job_id: str) -> None:
        assert run("result", job_id, "--json", "--format", "csv").returncode == 2


class TestWatch:
    def test_follows_a_job_to_its_end(
        self, services: Services, worker: Process, waiting: str, tmp_path: Path
    ) -> None:
        words = ("watch", waiting, "--url", services.api.url, "--language", "en")
        with subprocess.Popen(
            garimpo(*words), stderr=subprocess.PIPE, cwd=tmp_path, text=True
        ) as watch:
            assert watch.stderr is not None
            first = watch.stderr.readline()
            worker.signal(18)
            _, said = watch.communicate(timeout=90)
        assert first == "  0% Job queued\n"
        assert watch.returncode == 0, said
        assert "Extracting channels... 10/10 done" in said
        assert f"garimpo result {waiting}" in said.splitlines()[-1]

    def test_prints_each_change_as_a_line_of_json(self, run: Any, job_id: str) -> None:
        lines = run("watch", job_id, "--json").stdout.splitlines()
        assert [json.loads(line)["status"] for line in lines] == ["completed"]

    def test_ends_with_1_for_a_job_that_failed(
        self, run: Any, waiting: str, api: httpx.Client
    ) -> None:
        api.post(f"{PATH}/cancel/{waiting}")
        done = run("watch", waiting)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith("[cancelled]")


class TestCancel:
    def test_ends_a_waiting_job_once(self, run: Any, waiting: str, api: httpx.Client) -> None:
        done = run("cancel", waiting, "--json")
        assert (done.returncode, json.loads(done.stdout)["error_code"]) == (0, "cancelled")
        assert api.get(f"{PATH}/result/{waiting}").json()["error_code"] == "cancelled"

        again = run("cancel", waiting)

        assert again.returncode == 2
        assert "ended" in again.stderr


class TestJobs:
    def test_lists_the_newest_first(self, run: Any, job_id: str, waiting: str) -> None:
        lines = run("jobs").stdout.splitlines()
        assert lines[1].startswith(waiting)
        assert "pending" in lines[1]
        assert any(line.startswith(job_id) and "completed" in line for line in lines)
        assert not any("…" in line for line in lines)

    @pytest.mark.parametrize("width", [60, 80])
    def test_keeps_the_state_in_a_narrow_terminal(
        self, capsys: pytest.CaptureFixture[str], width: int
    ) -> None:
        one = {
            "job_id": NEVER,
            "site": "tubehunt",
            "job": "scrape-channels",
            "created_at": "2026-01-01T22:00:00.000000+00:00",
            "status": "processing",
            "progress": 100,
            "message": "Extracting channels... 10/10 done",
        }
        Console(width=width, force_terminal=True, color_system=None).print(draw([one], framed=True))
        assert capsys.readouterr().out.splitlines()[1].split()[:3] == [NEVER, "processing", "100"]

    def test_filters_and_prints_json(self, run: Any, job_id: str, waiting: str) -> None:
        words = ("--site", "tubehunt", "--job", "scrape-channels", "--status", "pending")
        found = json.loads(run("jobs", *words, "--json").stdout)
        assert [job["job_id"] for job in found["jobs"]] == [waiting]
        assert job_id != waiting
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

    def test_is_silent_where_a_setting_is_wrong(self, services: Services, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"TUBEHUNT_PASSWORD=\xe9")
        for typed in ("run t", "result 1"):
            done = _press_tab(services, tmp_path, typed)
            assert (done.stdout.strip(), done.stderr) == ("", "")


def _complete(services: Services | None, folder: Path, typed: str) -> str:
    """Return what is offered."""
    return _press_tab(services, folder, typed).stdout.strip()


def _press_tab(
    services: Services | None, folder: Path, typed: str
) -> "subprocess.CompletedProcess[str]":
    """Press Tab in bash after `garimpo` and what was typed."""
    words = f"garimpo {typed}"
    return run_garimpo(
        folder,
        GARIMPO_URL=services.api.url if services else "http://127.0.0.1:9",
        _GARIMPO_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )

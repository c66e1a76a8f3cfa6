"""`python -m scraper`, as a site's author runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo_site import EMAIL, PASSWORD, DemoSite
from tests.support.paths import ROOT

GOLDEN = json.loads((ROOT / "tests" / "golden" / "tubehunt-50.json").read_text())
JOB = ("tubehunt", "scrape-channels")
ACCOUNT = {"TUBEHUNT_USERNAME": EMAIL, "TUBEHUNT_PASSWORD": PASSWORD}


def run(
    folder: Path, *arguments: str, account: dict[str, str] = ACCOUNT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder without a .env."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TUBEHUNT_")}
    return subprocess.run(
        [sys.executable, "-m", "scraper", *arguments],
        cwd=folder,
        env={**own, "PYTHONPATH": str(ROOT), **account, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestMain:
    def test_prints_the_result_as_json(self, demo: DemoSite, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, "--param", "per_page=10", "--base-url", demo.url)

        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert result.pop("timestamp").endswith("+00:00")
        assert result == {
            "success": True,
            "channels": GOLDEN[:10],
            "total_channels": 10,
            "error": None,
            "pages_requested": 1,
            "pages_read": 1,
            "warnings": [],
        }
        assert "99% extracting label=channels done=10 total=10" in done.stderr

    def test_writes_the_result_to_a_file(self, demo: DemoSite, tmp_path: Path) -> None:
        arguments = ("--param", "per_page=10", "--output", "result.json")
        done = run(tmp_path, *JOB, *arguments, TUBEHUNT_BASE_URL=demo.url)

        assert (done.returncode, done.stdout) == (0, "")
        result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
        assert result["channels"] == GOLDEN[:10]

    def test_reads_a_env_file(self, demo: DemoSite, tmp_path: Path) -> None:
        lines = [f"{name}={value}" for name, value in ACCOUNT.items()]
        (tmp_path / ".env").write_text("\n".join([*lines, f"TUBEHUNT_BASE_URL={demo.url}"]))

        done = run(tmp_path, *JOB, "--param", "per_page=10", account={})

        assert done.returncode == 0, done.stderr

    def test_says_in_one_line_why_it_failed(self, demo: DemoSite, tmp_path: Path) -> None:
        demo.have(renamed_field=True)
        recipe = (ROOT / "scraper" / "sites" / "tubehunt.yaml").read_text(encoding="utf-8")
        assert "empty_after_s: 25" in recipe
        quick = recipe.replace("empty_after_s: 25", "empty_after_s: 0.5")
        (tmp_path / "tubehunt.yaml").write_text(quick, encoding="utf-8")

        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL=demo.url, RECIPES_DIR=str(tmp_path))

        assert (done.returncode, done.stdout) == (1, "")
        last = done.stderr.splitlines()[-1]
        assert last.startswith("page_changed: ")
        assert "a.fw-semibold.fs-4" in last

    def test_names_the_variables_that_are_missing(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, account={})

        assert done.returncode == 1
        assert done.stderr.startswith("credentials_missing: ")
        assert "TUBEHUNT_USERNAME, TUBEHUNT_PASSWORD" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "SITE"),
            (("nosite", "job"), "no site nosite; there is: tubehunt"),
            (("tubehunt", "nojob"), "no job nojob; it has: scrape-channels"),
            ((*JOB, "--param", "page=3"), "no parameter page"),
            ((*JOB, "--param", "pages=x"), "parameter pages"),
            ((*JOB, "--param", "pages=101"), "parameter pages"),
            ((*JOB, "--base-url", "app.tubehunt.io"), "--base-url must be an address"),
            ((*JOB, "--base-url", "http://a:b@c"), "--base-url must hold no account"),
        ],
    )
    def test_refuses_what_it_cannot_run(
        self, tmp_path: Path, arguments: tuple[str, ...], words: str
    ) -> None:
        done = run(tmp_path, *arguments)

        assert done.returncode == 2
        assert words in done.stderr

    def test_names_the_variable_that_holds_no_base_url(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL="http://me:s3cret@x")

        assert done.returncode == 2
        assert "TUBEHUNT_BASE_URL must hold no account" in done.stderr
        assert "s3cret" not in done.stderr

    def test_names_the_fault_of_a_recipe(self, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text("site: x\n")

        done = run(tmp_path, "x", "y", RECIPES_DIR=str(tmp_path))

        assert done.returncode == 2
        assert f"{tmp_path}/x.yaml" in done.stderr

"""`garimpo scrape`, as the author of a recipe runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo_site import EMAIL, PASSWORD, DemoSite
from tests.support.paths import GOLDEN, ROOT

GOLDEN_ITEMS = json.loads(GOLDEN.read_text(encoding="utf-8"))
JOB = ("tubehunt", "scrape-channels")
ACCOUNT = {"TUBEHUNT_USERNAME": EMAIL, "TUBEHUNT_PASSWORD": PASSWORD}
GARIMPO_SCRAPE = ("garimpo", "scrape")


def run(
    folder: Path,
    *arguments: str,
    command: tuple[str, ...] = GARIMPO_SCRAPE,
    account: dict[str, str] = ACCOUNT,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("TUBEHUNT_")
    }
    settings = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "GARIMPO_LANGUAGE": "en"}
    return subprocess.run(
        [sys.executable, "-m", *command, *arguments],
        cwd=folder,
        env={**inherited, **settings, **account, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestScrape:
    def test_prints_the_result_as_json(self, demo: DemoSite, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, "--param", "per_page=10", "--base-url", demo.url)

        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert result.pop("timestamp").endswith("+00:00")
        assert list(result.items()) == [
            ("success", True),
            ("channels", GOLDEN_ITEMS[:10]),
            ("total_channels", 10),
            ("error", None),
            ("pages_requested", 1),
            ("pages_read", 1),
            ("warnings", []),
        ]

    @pytest.mark.parametrize(
        ("language", "lines"),
        [
            ("en", ["  1% Starting the browser...", " 99% Extracting channels... 10/10 done"]),
            ("pt", ["  1% Abrindo o navegador...", " 99% Extraindo dados de canais... 10/10"]),
        ],
    )
    def test_shows_progress_in_the_users_language(
        self, demo: DemoSite, tmp_path: Path, language: str, lines: list[str]
    ) -> None:
        arguments = (*JOB, "--param", "per_page=10", "--base-url", demo.url)

        done = run(tmp_path, *arguments, GARIMPO_LANGUAGE=language)

        progress = done.stderr.splitlines()
        assert progress[0] == lines[0]
        assert progress[-1].startswith(lines[1])

    def test_writes_the_result_to_a_file(self, demo: DemoSite, tmp_path: Path) -> None:
        arguments = ("--param", "per_page=10", "--output", "result.json")
        done = run(tmp_path, *JOB, *arguments, TUBEHUNT_BASE_URL=demo.url)

        assert (done.returncode, done.stdout) == (0, "")
        result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
        assert result["channels"] == GOLDEN_ITEMS[:10]

    def test_reads_an_env_file(self, demo: DemoSite, tmp_path: Path) -> None:
        lines = [f"{name}={value}" for name, value in ACCOUNT.items()]
        (tmp_path / ".env").write_text("\n".join([*lines, f"TUBEHUNT_BASE_URL={demo.url}"]))

        done = run(tmp_path, *JOB, "--param", "per_page=10", account={})

        assert done.returncode == 0, done.stderr

    def test_reports_a_failure_in_one_line(self, demo: DemoSite, tmp_path: Path) -> None:
        demo.have(renamed_field=True)
        recipe = (ROOT / "scraper" / "sites" / "tubehunt.yaml").read_text(encoding="utf-8")
        assert "empty_after_s: 25" in recipe
        quick_recipe = recipe.replace("empty_after_s: 25", "empty_after_s: 0.5")
        (tmp_path / "tubehunt.yaml").write_text(quick_recipe, encoding="utf-8")

        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL=demo.url, RECIPES_DIR=str(tmp_path))

        assert (done.returncode, done.stdout) == (1, "")
        last_line = done.stderr.splitlines()[-1]
        assert last_line.endswith(" [page_changed]")
        assert "a.fw-semibold.fs-4" in last_line

    def test_reports_a_selector_that_the_browser_rejects(
        self, demo: DemoSite, tmp_path: Path
    ) -> None:
        recipe = (ROOT / "scraper" / "sites" / "tubehunt.yaml").read_text(encoding="utf-8")
        wrong_recipe = recipe.replace("items: .channel-card", "items: ..channel-card")
        assert wrong_recipe != recipe
        (tmp_path / "tubehunt.yaml").write_text(wrong_recipe, encoding="utf-8")

        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL=demo.url, RECIPES_DIR=str(tmp_path))

        assert done.returncode == 1
        last_line = done.stderr.splitlines()[-1]
        assert last_line.endswith(" [recipe_malformed]")
        assert "..channel-card" in last_line

    def test_names_the_credentials_that_are_missing(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, account={})

        assert done.returncode == 1
        assert done.stderr.endswith(" [credentials_missing]\n")
        assert "TUBEHUNT_USERNAME, TUBEHUNT_PASSWORD" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "Missing argument 'site'"),
            (("nosite", "job"), "no site nosite; available: tubehunt\n"),
            (("tubehunt", "nojob"), "tubehunt has no job nojob; available: scrape-channels\n"),
            ((*JOB, "--param", "page=3"), "no parameter page; available: pages, "),
            ((*JOB, "--param", "pages"), "--param pages: expected name=value"),
            ((*JOB, "--param", "pages=x"), "parameter pages must be an integer\n"),
            ((*JOB, "--param", "pages=101"), "parameter pages must be at most 100\n"),
            ((*JOB, "--base-url", "app.tubehunt.io"), "--base-url must be "),
            ((*JOB, "--base-url", "http://a:b@c"), "--base-url must not contain "),
            ((*JOB, "--output", "missing/result.json"), "--output missing/result.json: "),
        ],
    )
    def test_rejects_an_invalid_request(
        self, tmp_path: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        done = run(tmp_path, *arguments)

        assert done.returncode == 2
        assert message in done.stderr

    def test_names_the_variable_with_an_invalid_base_url(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL="http://me:s3cret@x")

        assert done.returncode == 2
        assert "TUBEHUNT_BASE_URL must not contain " in done.stderr
        assert "s3cret" not in done.stderr

    def test_names_the_faults_of_a_recipe(self, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text("site: x\n")

        done = run(tmp_path, "x", "y", RECIPES_DIR=str(tmp_path))

        assert done.returncode == 2
        assert f"{tmp_path}/x.yaml:1: base_url: is missing\n" in done.stderr

    def test_has_the_scraper_module_as_an_alias(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, "--param", "page=3", command=("scraper",))

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("no parameter page; ")

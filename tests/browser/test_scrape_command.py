"""`garimpo scrape`, as the author of a recipe runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo_site import EMAIL, PASSWORD, DemoSite
from tests.support.paths import GOLDEN, ROOT
from tests.support.polling import wait_until

GOLDEN_ITEMS = json.loads(GOLDEN.read_text(encoding="utf-8"))
JOB = ("tubehunt", "scrape-channels")
ACCOUNT = {"TUBEHUNT_USERNAME": EMAIL, "TUBEHUNT_PASSWORD": PASSWORD}
SHOP_JOB = ("shop", "list-offers")
SHOP = """\
site: shop
base_url: http://127.0.0.1:1
jobs:
  list-offers:
    params: {category: {type: string}}
    open: /c/{category}/list
    items: .offer
    collection: offers
    label: {pt: ofertas, en: offers}
    fields: {title: h2}
"""
GARIMPO_SCRAPE = ("garimpo", "scrape")


def run(
    folder: Path,
    *arguments: str,
    command: tuple[str, ...] = GARIMPO_SCRAPE,
    account: dict[str, str] = ACCOUNT,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    process = start(folder, *arguments, command=command, account=account, **environment)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(
    folder: Path,
    *arguments: str,
    command: tuple[str, ...] = GARIMPO_SCRAPE,
    account: dict[str, str] = ACCOUNT,
    **environment: str,
) -> "subprocess.Popen[str]":
    """Start the command in a folder."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("TUBEHUNT_")
    }
    settings = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "GARIMPO_LANGUAGE": "en"}
    return subprocess.Popen(
        [sys.executable, "-m", *command, *arguments],
        cwd=folder,
        env={**inherited, **settings, **account, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write_quick_recipe(folder: Path) -> None:
    """Write the bundled recipe to a folder, with a short wait for items."""
    recipe = (ROOT / "scraper" / "sites" / "tubehunt.yaml").read_text(encoding="utf-8")
    assert "empty_after_s: 25" in recipe
    quick_recipe = recipe.replace("empty_after_s: 25", "empty_after_s: 3")
    (folder / "tubehunt.yaml").write_text(quick_recipe, encoding="utf-8")


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
        write_quick_recipe(tmp_path)

        done = run(tmp_path, *JOB, TUBEHUNT_BASE_URL=demo.url, RECIPES_DIR=str(tmp_path))

        assert (done.returncode, done.stdout) == (1, "")
        last_line = done.stderr.splitlines()[-1]
        assert last_line.endswith(" [page_changed]")
        assert "a.fw-semibold.fs-4" in last_line

    @pytest.mark.parametrize("to_file", [False, True])
    def test_keeps_the_items_that_it_read_before_a_failure(
        self, demo: DemoSite, tmp_path: Path, *, to_file: bool
    ) -> None:
        demo.have(maintenance_page=3)
        write_quick_recipe(tmp_path)
        arguments = ("--param", "per_page=10", "--param", "pages=4", "--base-url", demo.url)
        output = ("--output", "rows.json") if to_file else ()

        done = run(tmp_path, *JOB, *arguments, *output, RECIPES_DIR=str(tmp_path))

        assert done.returncode == 1
        assert "[page_changed]" in done.stderr, done.stderr
        text = (tmp_path / "rows.json").read_text(encoding="utf-8") if to_file else done.stdout
        result = json.loads(text)
        assert result["success"] is False
        assert result["channels"] == GOLDEN_ITEMS[:20]
        assert (result["total_channels"], result["pages_read"]) == (20, 2)
        assert result["pages_requested"] == 4
        assert result["error_code"] == "page_changed"
        assert done.stderr.splitlines()[-1] == f"{result['error']} [page_changed]"

    def test_keeps_the_items_that_it_read_before_ctrl_c(
        self, demo: DemoSite, tmp_path: Path
    ) -> None:
        demo.have(hang_page=2)
        arguments = ("--param", "per_page=10", "--param", "pages=2", "--base-url", demo.url)
        process = start(tmp_path, *JOB, *arguments, TUBEHUNT_PARALLEL="1")
        try:
            wait_until(lambda: any("page=2" in r["path"] for r in demo.requests("/long/")))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            demo.give_up()
            process.kill()

        assert process.returncode == 130
        result = json.loads(out)
        assert (result["success"], result["error_code"]) == (False, "cancelled")
        assert result["channels"] == GOLDEN_ITEMS[:10]
        assert err.splitlines()[-1] == "Job cancelled [cancelled]"

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
            (
                ("tubehunt", "nojob"),
                "tubehunt has no job nojob; available: scrape-channels, scrape-channel\n",
            ),
            ((*JOB, "--param", "page=3"), "no parameter page; available: pages, "),
            ((*JOB, "--param", "pages"), "--param pages: expected name=value"),
            ((*JOB, "--param", "pages=x"), "parameter pages must be an integer\n"),
            ((*JOB, "--param", "pages=101"), "parameter pages must be at most 100\n"),
            (
                (*JOB, "--param", "order_by=5"),
                """parameter order_by must be a string (write it as --param 'order_by="5"')\n""",
            ),
            ((*JOB, "--param", 'pages="3"'), "parameter pages must be an integer\n"),
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

    def test_warns_of_another_recipe_with_a_fault(self, demo: DemoSite, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text("site: x\n")
        arguments = ("--param", "per_page=10", "--base-url", demo.url)

        done = run(tmp_path, *JOB, *arguments, RECIPES_DIR=str(tmp_path))

        assert done.returncode == 0
        assert json.loads(done.stdout)["total_channels"] == 10
        assert done.stderr.startswith(
            f"Recipe left out: {tmp_path}/x.yaml:1: base_url: is missing\n"
        )

    def test_names_a_folder_of_recipes_that_cannot_be_read(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, RECIPES_DIR=str(tmp_path / "no"))

        assert done.returncode == 2
        assert done.stderr == (
            f"RECIPES_DIR: {tmp_path}/no: cannot be read: No such file or directory\n"
        )

    @pytest.mark.parametrize("value", ["../x", "%2e%2e", "a\n"])
    def test_rejects_a_parameter_that_leads_to_another_page(
        self, tmp_path: Path, value: str
    ) -> None:
        (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")

        done = run(tmp_path, *SHOP_JOB, "--param", f"category={value}", RECIPES_DIR=str(tmp_path))

        assert done.returncode == 2
        assert "parameter category must not contain " in done.stderr

    def test_has_the_scraper_module_as_an_alias(self, tmp_path: Path) -> None:
        done = run(tmp_path, *JOB, "--param", "page=3", command=("scraper",))

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("no parameter page; ")

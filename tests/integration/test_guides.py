"""The commands of the guides do what the guides say, and their links lead somewhere.

A block of `sh` is run, from the top of a guide to its end, in one folder; it must end well. Where a
block of `json` follows, the command's answer has the same keys, and the same state or code. A block
of `bash` is not run here: it installs, or needs containers. The id that stands in the guides is
taken for the last one that an answer had, as a reader would.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.services import Services
from tests.support.paths import ROOT

_GUIDES = sorted((ROOT / "docs" / "guides").glob("*/*.md"))
_BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+\.md|[^)#:]+/)?(#[^)]+)?\)")
_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
_ID = re.compile(r'"job_id": ?"([0-9a-f-]{36})"')
_UNFINISHED = {"pending", "processing"}


@pytest.fixture(scope="module", autouse=True)
def stack(services: Services) -> Iterator[None]:
    """Have a worker, and a site that is not faster than a reader."""
    services.stack.worker()
    services.demo.have(slow_ms=300)
    yield
    services.demo.have()


class Reader:
    """Does what a guide says."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._folder = folder
        self._url = services.api.url
        programs = str(Path(sys.executable).parent)
        self._path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self._job_id = ""
        self._before = ""

    def do(self, block: str) -> str:
        """Run a block after the assignments of those before it; return what it prints."""
        block = block.replace("http://127.0.0.1:8000", self._url).replace(".venv/bin/", "")
        block = block.replace(_EXAMPLE_ID, self._job_id)
        # A machine that runs tests makes no promises about time.
        block = re.sub(r"garimpo check\b", "garimpo check --start-within-ms 10000", block)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._before + block],
            cwd=self._folder,
            env={
                "PATH": self._path,
                "GARIMPO_URL": self._url,
                "PYTHONUTF8": "1",
                "HOME": str(self._folder),
            },
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self._before += "".join(re.findall(r"^[A-Z]+=.*\n", block, re.MULTILINE))
        if found := _ID.search(done.stdout):
            self._job_id = found[1]
        return done.stdout


def _compare(shown: dict[str, Any], said: dict[str, Any]) -> None:
    assert shown.keys() == said.keys()
    assert shown.get("error_code") == said.get("error_code")
    if "status" in shown:
        both_unfinished = {shown["status"], said["status"]} <= _UNFINISHED
        assert both_unfinished or shown["status"] == said["status"]
    if isinstance(shown.get("result"), dict):
        assert shown["result"].keys() == said["result"].keys()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("guide", _GUIDES, ids=lambda path: f"{path.parent.name}/{path.stem}")
class TestGuide:
    def test_does_what_it_says(self, services: Services, tmp_path: Path, guide: Path) -> None:
        reader = Reader(services, tmp_path)
        said = ""
        for kind, block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
            if kind == "sh":
                said = reader.do(block)
            else:
                _compare(json.loads(block), json.loads(said))

    def test_links_to_what_is_there(self, guide: Path) -> None:
        for path, anchor in _LINK.findall(guide.read_text(encoding="utf-8")):
            target = guide.parent / path if path else guide
            assert target.exists(), path
            if anchor:
                headings = re.findall(
                    r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE
                )
                assert anchor in {_anchor(heading) for heading in headings}, f"{path}{anchor}"


def _anchor(heading: str) -> str:
    """Name a heading as GitHub does."""
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class TestLanguages:
    def test_have_the_same_commands(self) -> None:
        pairs = (
            ("quick-start", "inicio-rapido"),
            ("testing", "testes"),
            ("n8n", "n8n"),
            ("moving-over", "migracao"),
        )
        assert len(_GUIDES) == 2 * len(pairs)
        for english, portuguese in pairs:
            texts = [
                (ROOT / "docs" / "guides" / path).read_text(encoding="utf-8")
                for path in (f"en/{english}.md", f"pt/{portuguese}.md")
            ]
            commands = [
                [block for kind, block in _BLOCK.findall(text) if kind == "sh"] for text in texts
            ]
            assert commands[0] == commands[1], english

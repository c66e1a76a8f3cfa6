"""Commands and links of the guides.

The `sh` blocks of a guide are run from top to bottom in one folder and must succeed. If a `json`
block follows, the command's output must have the same keys, and the same status or error code.
`bash` blocks are not run: they install packages or need containers. The job id in the guides is
replaced by the last one in an output, as a reader would do.
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
    """Start a worker, and slow the site down to the speed of a reader."""
    services.stack.worker()
    services.demo.have(slow_ms=300)
    yield
    services.demo.have()


class GuideRunner:
    """Runs the blocks of a guide."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._folder = folder
        self._url = services.api.url
        scripts = str(Path(sys.executable).parent)
        self._path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
        self._job_id = ""
        self._assignments = ""

    def run(self, block: str) -> str:
        """Run a block with the variables of earlier blocks; return its stdout."""
        block = block.replace("http://127.0.0.1:8000", self._url).replace(".venv/bin/", "")
        block = block.replace(_EXAMPLE_ID, self._job_id)
        # Tests run on machines that may be slow.
        block = re.sub(r"garimpo check\b", "garimpo check --start-within-ms 10000", block)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._assignments + block],
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
        self._assignments += "".join(re.findall(r"^[A-Z]+=.*\n", block, re.MULTILINE))
        if match := _ID.search(done.stdout):
            self._job_id = match[1]
        return done.stdout


def _compare(shown: dict[str, Any], actual: dict[str, Any]) -> None:
    assert shown.keys() == actual.keys()
    assert shown.get("error_code") == actual.get("error_code")
    if "status" in shown:
        both_unfinished = {shown["status"], actual["status"]} <= _UNFINISHED
        assert both_unfinished or shown["status"] == actual["status"]
    if isinstance(shown.get("result"), dict):
        assert shown["result"].keys() == actual["result"].keys()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("guide", _GUIDES, ids=lambda path: f"{path.parent.name}/{path.stem}")
class TestGuide:
    def test_works_as_described(self, services: Services, tmp_path: Path, guide: Path) -> None:
        runner = GuideRunner(services, tmp_path)
        output = ""
        for kind, block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
            if kind == "sh":
                output = runner.run(block)
            else:
                _compare(json.loads(block), json.loads(output))

    def test_has_valid_links(self, guide: Path) -> None:
        for path, anchor in _LINK.findall(guide.read_text(encoding="utf-8")):
            target = guide.parent / path if path else guide
            assert target.exists(), path
            if anchor:
                headings = re.findall(
                    r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE
                )
                assert anchor in {_anchor(heading) for heading in headings}, f"{path}{anchor}"


def _anchor(heading: str) -> str:
    """Return the anchor of a heading on GitHub."""
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

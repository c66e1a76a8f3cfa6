"""The stand-in site as a process of its own, for tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.paths import ROOT

EMAIL = "garimpo@example.com"
PASSWORD = "garimpo-demo"


@dataclass(frozen=True)
class DemoControls:
    """What a running stand-in site does, and what it was asked."""

    url: str

    def have(self, **bad_days: Any) -> None:
        """Replace the bad days; without any, the day is good again."""
        answer = httpx.post(f"{self.url}/_demo/bad-days", json=bad_days)
        assert answer.status_code == 200, answer.text

    def give_up(self) -> None:
        """Reset the connections of all whose requests were left without an answer."""
        httpx.post(f"{self.url}/_demo/give-up").raise_for_status()

    def requests(self, prefix: str = "/") -> list[dict[str, Any]]:
        """Return the logged requests whose path begins so."""
        logged: list[dict[str, Any]] = httpx.get(f"{self.url}/_demo/requests").json()
        return [request for request in logged if request["path"].startswith(prefix)]

    def forget_requests(self) -> None:
        """Empty the log."""
        httpx.delete(f"{self.url}/_demo/requests").raise_for_status()


@dataclass(frozen=True)
class DemoSite(DemoControls):
    """A stand-in site of the test's own."""

    process: subprocess.Popen[str]


@contextmanager
def run_demo_site(*arguments: str) -> Iterator[DemoSite]:
    """Run `python -m demo` on a free port until the block ends."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--latency-ms", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("demo: http://"), f"the stand-in site did not start: {line!r}"
            yield DemoSite(line.removeprefix("demo: ").strip(), process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

"""The demo site as a subprocess, and its control endpoints."""

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
    """Control endpoints of a running demo site."""

    url: str

    def have(self, **faults: Any) -> None:
        """Replace all faults; without arguments, none remains."""
        response = httpx.post(f"{self.url}/_demo/bad-days", json=faults)
        assert response.status_code == 200, response.text

    def give_up(self) -> None:
        """Reset the connections of all requests that hang."""
        httpx.post(f"{self.url}/_demo/give-up").raise_for_status()

    def requests(self, prefix: str = "/") -> list[dict[str, Any]]:
        """Return the logged requests whose path starts with `prefix`."""
        logged: list[dict[str, Any]] = httpx.get(f"{self.url}/_demo/requests").json()
        return [request for request in logged if request["path"].startswith(prefix)]

    def forget_requests(self) -> None:
        """Clear the request log."""
        httpx.delete(f"{self.url}/_demo/requests").raise_for_status()


@dataclass(frozen=True)
class DemoSite(DemoControls):
    """A demo site that runs as a subprocess."""

    process: subprocess.Popen[str]


@contextmanager
def run_demo_site(*arguments: str) -> Iterator[DemoSite]:
    """Run `python -m demo` on a free port until the block ends."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--latency-ms", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("demo: http://"), f"the demo site did not start: {line!r}"
            yield DemoSite(line.removeprefix("demo: ").strip(), process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

"""`garimpo demo` with real services and real Chrome."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process_leaks import assert_no_leaks, find_processes_in


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Create a folder for temporary files, with a short path: Chrome's socket is in it."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:
        yield Path(folder)


def _start(folder: Path, scratch: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start the demo in `folder`, with `scratch` as TMPDIR."""
    return subprocess.Popen(
        [sys.executable, "-m", "garimpo", "demo"],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(scratch), "LANG": "C.UTF-8"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


class TestDemo:
    def test_writes_50_channels_and_leaves_no_process(self, tmp_path: Path, scratch: Path) -> None:
        # The demo must ignore the site and Redis of the environment and of .env.
        (tmp_path / ".env").write_text(
            "TUBEHUNT_USERNAME=me@example.com\nTUBEHUNT_PASSWORD=hush-hush\nRECIPES_DIR=/nowhere\n"
        )
        with _start(
            tmp_path,
            scratch,
            REDIS_URL="redis://127.0.0.1:1/0",
            TUBEHUNT_BASE_URL="http://127.0.0.1:1",
        ) as demo:
            out, err = demo.communicate(timeout=150)
        assert demo.returncode == 0, err

        file = tmp_path / "output" / "demo-channels.json"
        lines = out.splitlines()
        assert lines[-1] == f"50 channels: {file}"
        assert "make dev" in out
        assert "curl" in out
        result = json.loads(file.read_text(encoding="utf-8"))
        assert result["success"] is True
        assert result["total_channels"] == len(result["channels"]) == 50
        assert "channel_name" in out
        assert result["channels"][0]["channel_link"][:20] in out
        progress = [line for line in err.splitlines() if "%" in line]
        assert progress, "no progress shown"

        assert_no_leaks(scratch)

    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
    )
    @pytest.mark.parametrize("program", ["redis-server", "chrom"])
    def test_leaves_no_process_when_interrupted(
        self, tmp_path: Path, scratch: Path, program: str, number: signal.Signals, status: int
    ) -> None:
        with _start(tmp_path, scratch) as demo:
            while not any(program in process for process in find_processes_in(scratch)):
                assert demo.poll() is None, demo.communicate()
            demo.send_signal(number)
            _, err = demo.communicate(timeout=60)
        assert demo.returncode == status
        assert "Traceback" not in err
        assert_no_leaks(scratch)

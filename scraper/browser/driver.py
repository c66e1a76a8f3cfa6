"""A chromedriver of our own: one process tree that is gone when its owner is."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scraper.errors import BrowserUnavailable

# What Debian, Fedora and Google call it, in the order of preference.
_CHROME_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS_CHROME: Final = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_GUARD: Final = Path(__file__).with_name("guard.py")
_LISTENS: Final = re.compile(r"started successfully on port (\d+)")
_START_TIMEOUT_S: Final = 20.0
_END_TIMEOUT_S: Final = 15.0
_LOOK_S: Final = 0.004


def find_chrome(configured: str | None) -> str:
    """Return the path of Chrome or Chromium.

    Raises:
        BrowserUnavailable: it is not installed, or not where it was configured.
    """
    if configured:
        return _find(configured, "CHROME_BINARY")
    names = (*_CHROME_NAMES, _MACOS_CHROME)
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise BrowserUnavailable("neither Chromium nor Chrome is installed")  # noqa: EM101, TRY003 - the reason
    return found


def find_chromedriver(configured: str | None) -> str:
    """Return the path of chromedriver.

    Raises:
        BrowserUnavailable: it is not installed, or not where it was configured.
    """
    if configured:
        return _find(configured, "CHROMEDRIVER")
    found = shutil.which("chromedriver")
    if found is None:
        raise BrowserUnavailable("chromedriver is not installed")  # noqa: EM101, TRY003 - the reason
    return found


def _find(configured: str, variable: str) -> str:
    found = shutil.which(configured)
    if found is None:
        raise BrowserUnavailable(f"{variable} is {configured}, which is no program here")  # noqa: EM102, TRY003 - the reason
    return found


@contextlib.contextmanager
def open_chromedriver(path: str) -> Iterator[str]:
    """Run chromedriver under the guard; give its address; end it with all its browsers.

    The processes and the files are gone at the end of the block, and a moment after the death of
    this process, if it does not get that far.

    Raises:
        BrowserUnavailable: it does not start.
    """
    scratch = Path(tempfile.mkdtemp(prefix="garimpo-chrome-"))
    output = scratch / "chromedriver.out"
    with output.open("wb") as sink:
        guard = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-I", "-S", "-E", str(_GUARD), str(scratch), path, "--port=0"],
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{_await_port(guard, output)}"
    finally:
        _end(guard)
        shutil.rmtree(scratch, ignore_errors=True)


def _await_port(guard: subprocess.Popen[bytes], output: Path) -> int:
    """Return the port that chromedriver says it listens on."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    tick = threading.Event()
    while True:
        ended = guard.poll() is not None
        text = output.read_text(errors="replace") if output.exists() else ""
        if found := _LISTENS.search(text):
            return int(found.group(1))
        if ended or time.monotonic() > deadline:
            raise BrowserUnavailable(_first_line(text) or "chromedriver does not start")
        tick.wait(_LOOK_S)

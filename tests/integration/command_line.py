"""`garimpo` as a subprocess."""

import os
import subprocess
import sys
from pathlib import Path

#: Variables of the machine that would change the results.
_SETTINGS = ("GARIMPO_URL", "GARIMPO_LANGUAGE", "GARIMPO_API_KEY")


def garimpo(*arguments: str) -> list[str]:
    """Return the command that starts it."""
    return [sys.executable, "-m", "garimpo", *arguments]


def run_garimpo(
    folder: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run it in a folder until it exits."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    return subprocess.run(
        garimpo(*arguments),
        env=inherited | {"PYTHONUTF8": "1", "COLUMNS": "200"} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

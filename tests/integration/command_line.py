"""`garimpo` as a user starts it."""

import os
import subprocess
import sys
from pathlib import Path

#: What the machine that tests run on may say of the product.
_OURS = ("GARIMPO_URL", "GARIMPO_LANGUAGE")


def garimpo(*words: str) -> list[str]:
    """Return the words that start it."""
    return [sys.executable, "-m", "garimpo", *words]


def run_garimpo(
    folder: Path, *words: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run it in a folder to its end."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    return subprocess.run(
        garimpo(*words),
        env=inherited | {"PYTHONUTF8": "1", "COLUMNS": "200"} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

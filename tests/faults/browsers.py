"""The processes of a worker's browser, to strike at."""

import os
import signal
from pathlib import Path
from typing import Literal

from tests.faults.scenario import Scene
from tests.support.polling import wait_until

Part = Literal["browser", "driver", "page"]


def _find(scene: Scene, worker: str, part: Part) -> list[int]:
    """Return the ids of a part of the worker's browser; of pages there is a spare one."""

    def find() -> list[int]:
        return [pid for pid in scene.browsers(worker) if _part(pid) == part]

    return wait_until(find)


def _part(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended while we looked
        return ""
    if b"chromedriver" in command.partition(b"\0")[0]:
        return "driver"
    if b"--type=renderer" in command:
        return "page"
    return "" if b"--type=" in command or b"crashpad" in command else "browser"


def strike(scene: Scene, worker: str, part: Part, number: signal.Signals) -> None:
    """Send a signal to a part of the worker's browser."""
    for pid in _find(scene, worker, part):
        os.kill(pid, number)

"""The processes of a worker's browser, to strike at."""

from pathlib import Path
from typing import Literal

from tests.faults.scene import Scene, wait_until

Part = Literal["browser", "driver"]


def find_browser(scene: Scene, worker: str, part: Part) -> int:
    """Return the id of a process of the worker's browser."""

    def find() -> list[int]:
        return [pid for pid in scene.browsers(worker) if _part(pid) == part]

    return wait_until(find)[0]


def _part(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended while we looked
        return ""
    if b"chromedriver" in command.partition(b"\0")[0]:
        return "driver"
    return "" if b"--type=" in command or b"crashpad" in command else "browser"

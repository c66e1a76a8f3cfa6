"""Signals to the processes of a worker's browser."""

import os
import signal
from pathlib import Path
from typing import Literal

from tests.faults.scenario import FaultScenario
from tests.support.polling import wait_until

Part = Literal["browser", "driver", "page", "network"]


def find_parts(scenario: FaultScenario, worker: str, part: Part) -> list[int]:
    """Return the process ids of a part of the worker's browsers."""
    return [pid for pid in scenario.browsers(worker) if _identify(pid) == part]


def _identify(pid: int) -> str:
    """Return which part of a browser a process is; empty for other processes."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has exited meanwhile
        return ""
    if b"chromedriver" in command.partition(b"\0")[0]:
        return "driver"
    if b"--type=renderer" in command:
        return "page"
    if b"--utility-sub-type=network.mojom.NetworkService" in command:
        return "network"
    return "" if b"--type=" in command or b"crashpad" in command else "browser"


def signal_browser(
    scenario: FaultScenario, worker: str, part: Part, number: signal.Signals
) -> None:
    """Send a signal to a part of the worker's browser."""
    for pid in wait_until(lambda: find_parts(scenario, worker, part)):
        os.kill(pid, number)

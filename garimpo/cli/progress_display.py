"""Progress display on stderr: live bars in a terminal, plain lines elsewhere."""

import time
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from garimpo.client.connection import Body
from jobs.model.i18n import make_printable

#: Below this percentage a job starts its browser and logs in, which says nothing about how long its
#: pages will take.
_FIRST_PAGE_PROGRESS = 15

#: A queue position is shown for this long: the API sends no update when other jobs leave the queue.
_POSITION_VALID_S = 10.0

#: Durations below a minute and a half are shown in seconds, below an hour and a half in minutes.
_MAX_SECONDS = 90
_MAX_MINUTES = 90


def estimate_remaining_s(body: Body) -> float | None:
    """Return the seconds until a running job ends, or a pending one starts; None if unknown.

    The estimate assumes that the job continues at its average speed. It uses only the API's own
    times, so it does not depend on when the client began to follow or on its clock.
    """
    if body["status"] == "pending":
        wait_s: float | None = body.get("estimated_wait_seconds")
        return wait_s
    progress = body.get("progress") or 0
    started_at = body.get("started_at")
    if body["status"] != "processing" or progress < _FIRST_PAGE_PROGRESS or not started_at:
        return None
    waited = datetime.fromisoformat(started_at) - datetime.fromisoformat(body["created_at"])
    running_s: float = body["elapsed_seconds"] - waited.total_seconds()
    return max(0.0, running_s * (100 - progress) / progress)


def describe_remaining(body: Body, age_s: float = 0.0) -> str:
    """Return the remaining time, or the position in the queue, as text; empty if unknown.

    Args:
        body: The job's body.
        age_s: Seconds since it was received; an estimate that has run out is not shown.
    """
    remaining_s = estimate_remaining_s(body)
    remaining = _format_duration(remaining_s - age_s) if remaining_s and remaining_s > age_s else ""
    if body["status"] != "pending":
        return remaining and f"about {remaining} left"
    position = body.get("queue_position")
    is_valid = age_s < _POSITION_VALID_S
    parts = [f"number {position} in the queue"] if position and is_valid else []
    return ", ".join([*parts, f"starts in about {remaining}"] if remaining else parts)


def _format_duration(seconds: float) -> str:
    rounded = max(1, round(seconds))
    if rounded < _MAX_SECONDS:
        return f"{rounded} s"
    minutes = round(rounded / 60)
    return f"{minutes} min" if minutes < _MAX_MINUTES else f"{rounded / 3600:.1f} h"


_now = time.monotonic


class _RemainingColumn(ProgressColumn):
    """Column with the remaining time, counted down between two bodies."""

    def render(self, task: Task) -> Text:
        body: Body | None = task.fields["body"]
        age_s = _now() - task.fields["received_at"]
        return Text(describe_remaining(body, age_s) if body else "", style="dim")


class ProgressDisplay:
    """Shows the progress of jobs: `with ProgressDisplay() as display: display.show(body)`."""

    def __init__(self, console: Console | None = None) -> None:
        """Create the display.

        Args:
            console: Console to write to; by default stderr.
        """
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _RemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_lines: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start the live display."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the live display; the last state stays on the screen."""
        self._bars.stop()

    def show(self, body: Body, name: str = "") -> None:
        """Show a JobStart, JobStatus, JobResult or JobError: its message and its progress.

        Args:
            body: The job's body.
            name: Label of the job, if several are shown.
        """
        task = self._get_task(name)
        if body["status"] == "completed":
            self._finish(task, f"{name}Done", 100)
        elif body["status"] == "failed":
            self._finish(task, name + make_printable(str(body["error"])), body.get("progress"))
        elif "message" in body:
            percent = body.get("progress") or 0
            text = name + make_printable(str(body["message"]))
            self._bars.update(
                task, description=text, completed=percent, body=body, received_at=_now()
            )
            self._print(name, f"{percent:3d}% {text}")

    def show_outage(self, reason: str, name: str = "") -> None:
        """Show that the API is unavailable and that the request is retried.

        Args:
            reason: Why it is unavailable.
            name: Label of the job, if several are shown.
        """
        text = f"{name}The API is unavailable ({make_printable(reason)}); retrying ..."
        self._bars.update(self._get_task(name), description=text, body=None)
        self._print(name, f"     {text}")

    def show_hint(self, text: str) -> None:
        """Write a line above the bars."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _finish(self, task: TaskID, text: str, percent: int | None) -> None:
        self._bars.update(task, description=text, completed=percent, body=None)
        self._bars.stop_task(task)

    def _get_task(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=100, body=None, received_at=0.0)
        return self._tasks[name]

    def _print(self, name: str, line: str) -> None:
        """Write a line, unless bars are shown or it repeats the last line of that job."""
        if not self._console.is_terminal and line != self._last_lines.get(name):
            self._last_lines[name] = line
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
